-- Has a campaign record events for the endpoints of now. Without any it stops, and
-- its entries are deleted.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:told, hash, see lua/undelivered.lua
-- KEYS[3] -> handout:{c}:outbox
-- ARGV[1] -> generation of the endpoints
-- ARGV[2] -> the field outbox of meta: the generation, and a letter for each kind
--            of events that an endpoint subscribes to: c, r
-- then for each subscriber of the campaign two:
--   +1 its ID
--   +2 the generation in which it was added
--
-- Returns 1, or 0 if there is no such campaign, if it was purged, or if it has this
-- generation or a later one.
local meta = redis.call('HMGET', KEYS[1], 'state', 'purged', 'outbox')
if not meta[1] or meta[2] then
  return 0
end
local was = tonumber(string.match(meta[3] or '0', '^%d+'))
if was >= tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[1], 'outbox', ARGV[2])
if #ARGV == 2 then
  redis.call('UNLINK', KEYS[2], KEYS[3])
  return 1
end
local base = tonumber(redis.call('HGET', KEYS[2], 'base') or '0')
local stop = base + redis.call('LLEN', KEYS[3])
local least, known = stop, {base = true}
for i = 3, #ARGV, 2 do
  local id = ARGV[i]
  known[id], known[id .. ':now'], known[id .. ':all'] = true, true, true
  if tonumber(ARGV[i + 1]) > was then
    redis.call('HSETNX', KEYS[2], id, stop) -- it receives what comes after it was added
  end
  least = math.min(least, tonumber(redis.call('HGET', KEYS[2], id) or base))
end
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not known[field] then
    redis.call('HDEL', KEYS[2], field) -- of a removed endpoint
  end
end
if least > base then
  redis.call('LTRIM', KEYS[3], least - base, -1)
  redis.call('HSET', KEYS[2], 'base', least)
end
return 1
