-- Moves the feed's cursor over recipients whose notes are in the queue.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:due
-- ARGV[1] -> where the cursor must stand now
-- ARGV[2] -> where it shall stand
-- ARGV[3] -> when settle must look at the pages touched, Unix milliseconds
-- ARGV[4] -> the first of these pages
-- ARGV[5] -> the last one
--
-- Returns 1, or 0 when the cursor stands elsewhere.
local cursor = redis.call('HGET', KEYS[1], 'cursor') or '0'
if cursor ~= ARGV[1] then
  return 0
end
for page = tonumber(ARGV[4]), tonumber(ARGV[5]) do
  redis.call('ZADD', KEYS[2], 'LT', ARGV[3], page) -- whoever wants it sooner is heard
end
redis.call('HSET', KEYS[1], 'cursor', ARGV[2])
return 1
