-- Puts the counts of a campaign right, unless they have changed meanwhile.
--
-- KEYS[1] -> handout:{c}:counts
-- ARGV[1...] -> for each counter three: its name, the count that must stand
--              now, the count as it shall be
--
-- Returns 1, or 0 when another count stands there and nothing was changed.
for i = 1, #ARGV, 3 do
  if (tonumber(redis.call('HGET', KEYS[1], ARGV[i])) or 0) ~= tonumber(ARGV[i + 1]) then
    return 0
  end
end
for i = 1, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
end
return 1
