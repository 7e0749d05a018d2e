-- Has members of a line looked at no later than a time. The time that stands
-- always changes, so that a visit that has read it before this call can't put
-- the member off any more.
--
-- KEYS[1] -> the line
-- ARGV[1] -> the time, in the line's unit
-- ARGV[2...] -> members
--
-- Returns 1.
for i = 2, #ARGV do
  local stands = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if not stands or tonumber(stands) > tonumber(ARGV[1]) then
    redis.call('ZADD', KEYS[1], ARGV[1], ARGV[i])
  else
    redis.call('ZINCRBY', KEYS[1], -1, ARGV[i])
  end
end
return 1
