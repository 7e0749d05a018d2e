-- Keeps a campaign file that waits for its list.
--
-- KEYS[1] -> handout:{c}:proposed
-- ARGV[1] -> the spec
-- ARGV[2] -> whose it is
-- ARGV[3] -> the line for the history if there is none yet
-- ARGV[4] -> the line for the history if it replaces another one
-- ARGV[5] -> how long it waits, milliseconds
-- ARGV[6] -> "1": replace another spec
-- ARGV[7] -> "1": also one that is another's
--
-- Returns what happened and whose the proposal is that stands: "added", "same",
-- "other" (another spec waits), or "foreign" (one of another caller).
local now = redis.call('HMGET', KEYS[1], 'spec', 'by')
if now[1] then
  if now[2] ~= ARGV[2] and ARGV[7] ~= '1' then
    return {'foreign', now[2]}
  elseif now[1] == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    return {'same', now[2]}
  elseif ARGV[6] ~= '1' then
    return {'other', now[2]}
  end
  redis.call('HSET', KEYS[1], 'replaced', ARGV[4])
else
  redis.call('HSET', KEYS[1], 'proposed', ARGV[3])
end
redis.call('HSET', KEYS[1], 'spec', ARGV[1], 'by', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'added', ARGV[2]}
