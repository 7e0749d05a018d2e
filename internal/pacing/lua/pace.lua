-- Reserves evenly spaced slots, for all processes together: first for urgent
-- callers, who may reserve further ahead, then for the bulk. The same as
-- reserve in pacing.go; one table tests both.
--
-- KEYS[1] -> handout:pace, or a campaign's: hash with
--            last: when the last slot given out begins, blocked: no slot before,
--            cut: by how many steps the rate was lowered, cut_at: since when it
--            recovers, rate: as it was set
-- ARGV[1] -> microseconds between slots at the rate set
-- ARGV[2] -> how many slots are wanted by urgent callers, at most
-- ARGV[3] -> how many by the bulk, at most
-- ARGV[4] -> the rate set, messages per second; kept for reports
--
-- Returns now, the first slot's beginning, how many slots were reserved, and
-- the space between them; times in microseconds of Redis's clock. With none
-- reserved the first is the one that nobody has yet.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local urgent, bulk = tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'last', 'blocked', 'cut', 'cut_at')
local last, blocked = tonumber(state[1] or '0'), tonumber(state[2] or '0')
local cut, cut_at = tonumber(state[3] or '0'), tonumber(state[4] or '0')
cut = math.max(0, cut - math.max(0, math.floor((now - cut_at) / 10000000)))
local gap = tonumber(ARGV[1]) * 1.5 ^ cut
local near, far = 200000 + math.min(gap, 300000), 1000000
-- Further ahead than far only when the clock was set back.
local first = math.max(now, math.min(last, now + far) + gap, blocked)
local n = math.max(0, math.min(urgent, math.floor((now + far - first) / gap) + 1))
if n == urgent then
  n = n + math.max(0, math.min(bulk, math.floor((now + near - first - n * gap) / gap) + 1))
end
if n > 0 then
  redis.call('HSET', KEYS[1], 'last', string.format('%.3f', first + (n - 1) * gap), 'rate', ARGV[4])
end
return {string.format('%.0f', now), string.format('%.3f', first), tostring(n), string.format('%.3f', gap)}
