-- Notes where a campaign stands, so that its rate can be shown and drawn.
--
-- KEYS[1] -> handout:{c}:samples: sorted set by Unix second, members
--            <unix>:<counts>, the counts in the order of ARGV[1], with nothing
--            for 0, and nothing at all for those at the end
-- KEYS[2] -> handout:{c}:counts
-- ARGV[1...] -> names of the counters
--
-- One for each 5 seconds of Redis's clock, whichever process asks and however often, and
-- when nothing has changed one a minute. All are kept for 10 minutes, the first
-- of each minute for 2 days.
--
-- Returns the second at which the 5 begin.
local now = tonumber(redis.call('TIME')[1])
local slot = now - now % 5
local counts = redis.call('HMGET', KEYS[2], unpack(ARGV))
local last = 0
for i, n in ipairs(counts) do
  if n and n ~= '0' then
    last = i
  else
    counts[i] = ''
  end
end
if last == 0 then -- a draft, or purged
  return slot
end
local text = table.concat(counts, ',', 1, last)
local before = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local since = tonumber(before[2] or '0')
if since >= slot then
  return slot
end
if slot - since < 60 and string.sub(before[1], string.find(before[1], ':', 1, true) + 1) == text then
  return slot
end
redis.call('ZADD', KEYS[1], slot, string.format('%d', slot) .. ':' .. text)
-- What was thinned out before, down to the minute that is underway there.
local from = math.max(0, since - 600)
from = from - from % 60
local minute = -1
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], from, '(' .. string.format('%d', slot - 600))) do
  local at = tonumber(string.match(member, '^%d+'))
  if math.floor(at / 60) == minute then
    redis.call('ZREM', KEYS[1], member)
  end
  minute = math.floor(at / 60)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%d', slot - 172800))
redis.call('EXPIRE', KEYS[1], 172800)
return slot
