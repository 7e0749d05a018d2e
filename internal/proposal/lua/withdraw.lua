-- Deletes a campaign file that waits for its list.
--
-- KEYS[1] -> handout:{c}:proposed, see propose.lua
-- ARGV[1] -> the spec
--
-- Returns 1, or 0 when another spec, or none, waits.
if redis.call('HGET', KEYS[1], 'spec') ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
