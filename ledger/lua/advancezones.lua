-- Moves the feed of a campaign in pages by zone over pages whose notes are in
-- the queue.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:due
-- KEYS[3] -> handout:{c}:fed
-- ARGV[1] -> how many recipients must have been fed now
-- ARGV[2] -> how many shall have been
-- ARGV[3] -> when settle must look at the pages, Unix milliseconds
-- ARGV[4] -> how many zones follow
-- then for each of these three:
--   +1 its number
--   +2 pages to add to those fed
--   +3 recipients to add to those fed
-- then the pages
--
-- Returns 1, or 0 when others have been fed meanwhile.
local cursor = redis.call('HGET', KEYS[1], 'cursor') or '0'
if cursor ~= ARGV[1] then
  return 0
end
local pages = 5 + 3 * tonumber(ARGV[4])
for i = pages, #ARGV do
  redis.call('ZADD', KEYS[2], 'LT', ARGV[3], ARGV[i]) -- whoever wants it sooner is heard
end
for i = 5, pages - 1, 3 do
  redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', KEYS[3], 'r' .. ARGV[i], ARGV[i + 2])
end
redis.call('HSET', KEYS[1], 'cursor', ARGV[2])
return 1
