-- Pushes everybody's next slot back after Telesign has said "too fast".
--
-- KEYS[1] -> handout:pace: hash with
--            blocked: no slot before, level: how often in a row
-- ARGV[1] -> microseconds that Telesign asked to wait; 0 when it didn't say
-- ARGV[2] -> microseconds to wait for the first time; doubled each time after
-- ARGV[3] -> microseconds to wait at most
--
-- Returns for how many microseconds from now there is no slot.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local blocked = tonumber(redis.call('HGET', KEYS[1], 'blocked') or '0')
if blocked <= now then -- else: an answer to a request of before the push
  local level = tonumber(redis.call('HGET', KEYS[1], 'level') or '0')
  local wait = tonumber(ARGV[1])
  if wait == 0 then
    wait = math.min(tonumber(ARGV[2]) * 2 ^ level, tonumber(ARGV[3]))
  end
  blocked = now + wait
  redis.call('HSET', KEYS[1], 'blocked', string.format('%.0f', blocked), 'level', math.min(level + 1, 10))
end
return math.ceil(blocked - now)
