-- Changes an endpoint, if nobody has changed any since they were read.
--
-- KEYS[1] -> handout:webhooks, hash: endpoint to its JSON form; *, the generation,
--            which every change makes one more; *passed, that of which all
--            campaigns know
-- ARGV[1] -> the generation that must stand now
-- ARGV[2] -> the endpoint's ID
-- ARGV[3] -> its JSON form; "" deletes it
--
-- Returns 1, or 0 when another generation stands there.
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
