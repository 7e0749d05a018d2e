-- Compares and sets an endpoint's batch.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:told
-- ARGV[1] -> the endpoint's ID
-- ARGV[2] -> the expected batch, "" for none
-- ARGV[3] -> the new one
--
-- Returns 1, or 0 if another batch stands there, or no endpoint subscribes any more.
local meta = redis.call('HMGET', KEYS[1], 'purged', 'outbox')
if meta[1] or not string.find(meta[2] or '', '%a') then
  return 0
end
if (redis.call('HGET', KEYS[2], ARGV[1] .. ':now') or '') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1] .. ':now', ARGV[3])
return 1
