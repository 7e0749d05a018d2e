-- Sets when a member of a line is to be looked at again, unless it was called
-- since it was read.
--
-- KEYS[1] -> the line
-- ARGV[1] -> member
-- ARGV[2] -> the time that must stand there now, in the line's unit
-- ARGV[3] -> the new time, or "" when nothing is left to do
--
-- Returns 1, or 0 when another time stands there. That one stays, if it is sooner:
-- of two who look at once each may know of something that comes first.
local now = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not now or tonumber(now) ~= tonumber(ARGV[2]) then
  if now and ARGV[3] ~= '' then
    redis.call('ZADD', KEYS[1], 'LT', ARGV[3], ARGV[1])
  end
  return 0
end
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 1
