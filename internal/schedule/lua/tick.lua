-- Compares and sets a tick, and deletes the oldest ticks that are over if there are
-- too many.
--
-- KEYS[1] -> handout:{schedule:<name>}:ticks
-- KEYS[2] -> handout:{schedule:<name>}
-- ARGV[1] -> the period
-- ARGV[2] -> the expected JSON; empty: none
-- ARGV[3] -> the new JSON
-- ARGV[4] -> how many ticks are kept
-- ARGV[5] -> the length of the list that was sent, to compare the next one with;
--            empty: none
--
-- Returns 1, or 0 if another JSON is stored.
local stands = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if stands == ARGV[3] then
  return 1 -- the answer to the same call got lost
end
if stands ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[2], 'size', ARGV[5])
end
local over = redis.call('HLEN', KEYS[1]) - tonumber(ARGV[4])
if over > 0 then
  local periods = redis.call('HKEYS', KEYS[1])
  table.sort(periods)
  for _, period in ipairs(periods) do
    if over <= 0 then
      break
    end
    local state = cjson.decode(redis.call('HGET', KEYS[1], period))['state']
    if period ~= ARGV[1] and state ~= 'waiting' and state ~= 'running' then
      redis.call('HDEL', KEYS[1], period)
      over = over - 1
    end
  end
end
return 1
