-- Moves the feed of a campaign over recipients whose tasks are in the queue.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:due
-- ARGV[1] -> where the cursor must stand now
-- ARGV[2] -> where it shall stand
-- ARGV[3] -> the same by zone, the new value of field fed; "" when there is one zone
-- ARGV[4] -> when settle must look at the pages, Unix milliseconds
-- ARGV[5...] -> the pages touched
--
-- Returns 1, or 0 when the cursor stands elsewhere.
local cursor = redis.call('HGET', KEYS[1], 'cursor') or '0'
if cursor ~= ARGV[1] then
  return 0
end
for i = 5, #ARGV do
  redis.call('ZADD', KEYS[2], 'LT', ARGV[4], ARGV[i]) -- a time that is sooner stays
end
redis.call('HSET', KEYS[1], 'cursor', ARGV[2])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'fed', ARGV[3])
end
return 1
