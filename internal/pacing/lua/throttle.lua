-- Pushes everybody's next slot back after Telesign has said "too fast", and
-- lowers the rate by a step. The same as throttle in pacing.go; one table tests
-- both.
--
-- KEYS[1] -> handout:pace: hash with
--            blocked: no slot before, level: how often in a row,
--            cut: by how many steps the rate was lowered, cut_at: since when it
--            recovers
-- ARGV[1] -> microseconds that Telesign asked to wait; 0 when it didn't say
-- ARGV[2] -> what to add to a wait that it didn't ask for, as a part of it
--
-- Returns for how many microseconds from now there is no slot.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local state = redis.call('HMGET', KEYS[1], 'blocked', 'level', 'cut', 'cut_at')
local blocked, level = tonumber(state[1] or '0'), tonumber(state[2] or '0')
local cut, cut_at = tonumber(state[3] or '0'), tonumber(state[4] or '0')
if blocked <= now then -- else: an answer to a request of before the push
  local wait = tonumber(ARGV[1])
  if wait == 0 then
    wait = math.min(1000000 * 2 ^ level, 60000000) * (1 + tonumber(ARGV[2]))
  end
  cut = math.max(0, cut - math.max(0, math.floor((now - cut_at) / 10000000)))
  blocked = math.ceil(now + wait)
  redis.call('HSET', KEYS[1], 'blocked', string.format('%.0f', blocked), 'level', math.min(level + 1, 10),
    'cut', math.min(cut + 1, 8), 'cut_at', string.format('%.0f', blocked))
end
return blocked - now
