-- Changes an endpoint, unless one was changed since they were read.
--
-- KEYS[1] -> handout:webhooks, hash: endpoint to its JSON form; *, the generation,
--            which grows by one with each change; *passed, the generation that all
--            campaigns have
-- ARGV[1] -> the expected generation
-- ARGV[2] -> the endpoint's ID
-- ARGV[3] -> its JSON form; "" deletes it
--
-- Returns 1, or 0 if another generation stands there.
if (redis.call('HGET', KEYS[1], '*') or '0') ~= ARGV[1] then
  return 0
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
end
redis.call('HINCRBY', KEYS[1], '*', 1)
return 1
