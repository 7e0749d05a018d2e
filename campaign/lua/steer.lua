-- Changes a campaign's state if it is one of those named.
--
-- KEYS[1] -> handout:{c}:meta
-- ARGV[1] -> states that it may be in, separated by blanks
-- ARGV[2...] -> fields and values of meta, the new state among them
--
-- Returns the state that it was in; "" when there is no such campaign.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  return ''
end
for s in string.gmatch(ARGV[1], '%S+') do
  if s == state then
    redis.call('HSET', KEYS[1], unpack(ARGV, 2))
    break
  end
end
return state
