-- Changes a campaign's state if it is one of those named, and says so in its
-- history.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2] -> handout:{c}:history
-- KEYS[3] -> handout:{c}:outbox, see internal/webhook/outbox
-- ARGV[1] -> states that it may be in, separated by blanks
-- ARGV[2] -> "" | a field of meta that must have the value of ARGV[3], too
-- ARGV[3] -> that value; "" for a field that isn't there
-- ARGV[4] -> the line for the history; "" for none
-- ARGV[5...] -> fields and values of meta, the new state among them
--
-- Returns the state that it was in ("" when there is no such campaign) and
-- whether it was changed, 1 or 0.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  return {'', 0}
end
if ARGV[2] ~= '' and (redis.call('HGET', KEYS[1], ARGV[2]) or '') ~= ARGV[3] then
  return {state, 0}
end
for s in string.gmatch(ARGV[1], '%S+') do
  if s == state then
    redis.call('HSET', KEYS[1], unpack(ARGV, 5))
    if ARGV[4] ~= '' then
      redis.call('RPUSH', KEYS[2], ARGV[4])
      redis.call('LTRIM', KEYS[2], -1000, -1)
    end
    local now = redis.call('HMGET', KEYS[1], 'state', 'reason', 'outbox')
    if now[1] ~= state and string.find(now[3] or '', 'c', 1, true) then
      redis.call('RPUSH', KEYS[3], cjson.encode({
        at = redis.call('TIME')[1], state = now[1], reason = now[2] or '', line = ARGV[4]}))
    end
    return {state, 1}
  end
end
return {state, 0}
