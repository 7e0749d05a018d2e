-- Notes that an endpoint was told, or that it isn't any more, and trims off what
-- waits for nobody.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:told
-- KEYS[3] -> handout:{c}:outbox
-- ARGV[1] -> the endpoint's ID
-- ARGV[2] -> how many entries it must have been told now
-- ARGV[3] -> how many it has been told then
-- ARGV[4] -> its batch as it must stand now, "" for none
-- ARGV[5] -> its batch as it shall be, "" for none
-- ARGV[6...] -> IDs of all endpoints that are told of the campaign
--
-- Returns 1, or 0 when it was told otherwise meanwhile, or nobody is any more.
local meta = redis.call('HMGET', KEYS[1], 'purged', 'outbox')
if meta[1] or not string.find(meta[2] or '', '%a') then
  return 0
end
local told = redis.call('HMGET', KEYS[2], 'base', ARGV[1], ARGV[1] .. ':now')
local base = tonumber(told[1] or '0')
local cursor = math.max(tonumber(told[2] or base), base)
if cursor ~= tonumber(ARGV[2]) or (told[3] or '') ~= ARGV[4] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1] .. ':now', ARGV[5])
else
  redis.call('HDEL', KEYS[2], ARGV[1] .. ':now')
  if tonumber(ARGV[3]) == base + redis.call('LLEN', KEYS[3]) then
    redis.call('HSET', KEYS[2], ARGV[1] .. ':all', redis.call('TIME')[1])
  end
end
local least = tonumber(ARGV[3])
for i = 6, #ARGV do
  least = math.min(least, tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or base))
end
if least > base then
  redis.call('LTRIM', KEYS[3], least - base, -1)
  redis.call('HSET', KEYS[2], 'base', least)
end
return 1
