-- Takes a campaign's draft, or says why not.
--
-- KEYS[1] -> handout:{c}:meta
-- ARGV[1] -> token of the submit that wants it
-- ARGV[2] -> now, Unix milliseconds
-- ARGV[3] -> how long a silent submit keeps its draft, milliseconds
-- ARGV[4...] -> fields and values of the new draft
--
-- Returns "taken", "busy" (another submit is writing it) or "stands".
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'draft' then
  return 'stands'
end
if state then
  local token = redis.call('HGET', KEYS[1], 'draft_token')
  local seen = tonumber(redis.call('HGET', KEYS[1], 'draft_seen') or '0')
  if token ~= ARGV[1] and seen + tonumber(ARGV[3]) > tonumber(ARGV[2]) then
    return 'busy'
  end
end
local written = redis.call('HGET', KEYS[1], 'draft_pages')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', 'draft', 'draft_token', ARGV[1], 'draft_seen', ARGV[2], unpack(ARGV, 4))
if written then
  redis.call('HSET', KEYS[1], 'draft_pages', written)
end
return 'taken'
