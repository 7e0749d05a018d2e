-- Writes pages of a draft.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2...] -> handout:{c}:page:<n>
-- ARGV[1] -> token of the submit
-- ARGV[2] -> now, Unix milliseconds
-- ARGV[3] -> number of pages once these are written
-- ARGV[4...] -> a page for each of KEYS[2...]
--
-- Returns 1, or 0 when another submit has taken the draft or it stands.
if redis.call('HGET', KEYS[1], 'draft_token') ~= ARGV[1] then
  return 0
end
for i = 2, #KEYS do
  redis.call('SET', KEYS[i], ARGV[i + 2])
end
local written = tonumber(redis.call('HGET', KEYS[1], 'draft_pages') or '0')
redis.call('HSET', KEYS[1], 'draft_seen', ARGV[2], 'draft_pages', math.max(written, tonumber(ARGV[3])))
return 1
