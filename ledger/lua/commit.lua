-- Makes a draft stand: from here on the campaign has its recipients.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:counts
-- KEYS[3] -> handout:{c}:history
-- KEYS[4] -> handout:{c}:outbox, see internal/webhook/outbox
-- KEYS[5] -> handout:{c}:proposed, see internal/proposal
-- ARGV[1] -> token of the submit
-- ARGV[2] -> number of recipients
-- ARGV[3] -> the line for the history
-- ARGV[4...] -> fields and values of meta, the state among them
--
-- Returns 1, or 0 when another submit has taken the draft or it stands.
if redis.call('HGET', KEYS[1], 'draft_token') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[1], 'draft_token', 'draft_seen', 'draft_pages')
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'planned', ARGV[2])
-- Where several had a hand in the campaign file, the history names them.
local proposal = redis.call('HMGET', KEYS[5], 'spec', 'by', 'proposed', 'replaced')
if proposal[1] and proposal[1] == redis.call('HGET', KEYS[1], 'spec') then
  if proposal[4] or proposal[2] ~= cjson.decode(ARGV[3]).by then
    redis.call('RPUSH', KEYS[3], proposal[3])
  end
  if proposal[4] then
    redis.call('RPUSH', KEYS[3], proposal[4])
  end
  redis.call('DEL', KEYS[5])
end
redis.call('RPUSH', KEYS[3], ARGV[3])
local now = redis.call('HMGET', KEYS[1], 'state', 'reason', 'outbox')
if string.find(now[3] or '', 'c', 1, true) then
  redis.call('RPUSH', KEYS[4], cjson.encode({
    at = redis.call('TIME')[1], state = now[1], reason = now[2] or '', line = ARGV[3]}))
end
return 1
