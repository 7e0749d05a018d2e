-- Appends a recipient to a standing campaign, once for each key.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:counts
-- KEYS[3] -> handout:{c}:keys, hash: digest of the caller's key to
--            position "." digest of the content
-- KEYS[4] -> handout:{c}:page:<n>, the page that the recipient will stand in
-- ARGV[1] -> digest of the key
-- ARGV[2] -> digest of the content
-- ARGV[3] -> how many recipients there must be now
-- ARGV[4] -> the recipient, as it is appended to the page
-- ARGV[5] -> what an empty page begins with
-- ARGV[6] -> recipients in a full page
-- ARGV[7...] -> fields and values of meta for a campaign that isn't there yet
--
-- Returns what happened and a number: "appended" and the position, "known" and
-- the position, "other" (another content has this key) and the position,
-- "moved" and how many recipients there are, "sealed" and 0 (the page begins with
-- something else: it is sealed by another key, or by none), "canceled" and 0, "purged" and when,
-- Unix milliseconds.
local purged = redis.call('HGET', KEYS[1], 'purged')
if purged then
  return {'purged', tonumber(purged)} -- the keys are gone: what was sent is no longer known
end
local known = redis.call('HGET', KEYS[3], ARGV[1])
if known then
  local dot = string.find(known, '.', 1, true)
  local position = tonumber(string.sub(known, 1, dot - 1))
  if string.sub(known, dot + 1) == ARGV[2] then
    return {'known', position}
  end
  return {'other', position}
end
if redis.call('HEXISTS', KEYS[1], 'canceled') == 1 then
  return {'canceled', 0}
end
local total = tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
if total ~= tonumber(ARGV[3]) then
  return {'moved', total}
end
local begins = redis.call('GETRANGE', KEYS[4], 0, #ARGV[5] - 1)
if begins ~= '' and begins ~= ARGV[5] then
  return {'sealed', 0}
end
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  redis.call('HSET', KEYS[1], 'state', 'running', 'cursor', 0, unpack(ARGV, 7))
elseif state == 'settling' or state == 'done' then
  redis.call('HSET', KEYS[1], 'state', 'running', 'finished', '')
end
if begins == '' then
  redis.call('SET', KEYS[4], ARGV[5])
end
redis.call('APPEND', KEYS[4], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[1], total .. '.' .. ARGV[2])
redis.call('HSET', KEYS[1], 'total', total + 1, 'pages', math.floor(total / tonumber(ARGV[6])) + 1)
redis.call('HINCRBY', KEYS[2], 'planned', 1)
return {'appended', total}
