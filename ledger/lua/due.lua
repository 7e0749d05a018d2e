-- Sets when settle must look at a page again, unless the page was
-- called since it was read.
--
-- KEYS[1] -> handout:{c}:due
-- ARGV[1] -> page
-- ARGV[2] -> the time that must stand there now, Unix milliseconds
-- ARGV[3] -> the new time, or "" when nothing in the page is left to do
--
-- Returns 1, or 0 when another time stands there.
local now = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not now or tonumber(now) ~= tonumber(ARGV[2]) then
  return 0
end
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 1
