-- Moves an endpoint's cursor, sets its batch, and trims off the entries that all
-- subscribers have taken.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:told
-- KEYS[3] -> handout:{c}:outbox
-- ARGV[1] -> the endpoint's ID
-- ARGV[2] -> the expected cursor: how many entries it has taken
-- ARGV[3] -> the new one
-- ARGV[4] -> the expected batch, "" for none
-- ARGV[5] -> the new one, "" for none
-- ARGV[6...] -> IDs of all subscribers of the campaign
--
-- Returns 1, or 0 if another cursor or batch stands there, or no endpoint subscribes
-- any more.
local meta = redis.call('HMGET', KEYS[1], 'purged', 'outbox')
if meta[1] or not string.find(meta[2] or '', '%a') then
  return 0
end
local progress = redis.call('HMGET', KEYS[2], 'base', ARGV[1], ARGV[1] .. ':now')
local base = tonumber(progress[1] or '0')
local cursor = math.max(tonumber(progress[2] or base), base)
if cursor ~= tonumber(ARGV[2]) or (progress[3] or '') ~= ARGV[4] then
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
