-- Deletes pages at the end of a draft, or the whole draft.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2...] -> handout:{c}:page:<n> to be deleted
-- ARGV[1] -> token of the submit
-- ARGV[2] -> number of pages left, "" to delete the draft itself
--
-- Returns 1, or 0 when another submit has taken the draft or it stands.
if redis.call('HGET', KEYS[1], 'draft_token') ~= ARGV[1] then
  return 0
end
for i = 2, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'draft_pages', ARGV[2])
end
return 1
