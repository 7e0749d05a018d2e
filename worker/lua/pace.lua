-- Reserves evenly spaced slots, for all processes together.
--
-- KEYS[1] -> handout:pace, or a campaign's: hash with
--            next: when the next free slot begins, blocked: no slot before
-- ARGV[1] -> microseconds between slots
-- ARGV[2] -> how many slots are wanted, at most
-- ARGV[3] -> how far ahead of now a slot may be, microseconds
--
-- Returns now, the first slot's beginning, and how many slots were reserved;
-- times in microseconds of Redis's clock. With none reserved the second value
-- is when to ask again.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local gap, want, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'next', 'blocked')
local first = math.max(now, tonumber(state[1] or '0'), tonumber(state[2] or '0'))
local n = math.min(want, math.floor((now + ahead - first) / gap) + 1)
if n < 1 then
  return {now, math.ceil(first - ahead), 0}
end
redis.call('HSET', KEYS[1], 'next', string.format('%.3f', first + n * gap))
return {now, math.ceil(first), n}
