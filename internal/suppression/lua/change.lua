-- Compares and sets what is kept of some numbers. Each is changed by itself, and a
-- change that stands already counts as made: the call may be repeated.
--
-- KEYS[1] -> handout:suppressed
-- KEYS[2] -> handout:past:{handout:suppressed}
-- KEYS[3] -> handout:heard:{handout:suppressed}
-- ARGV[1] -> the reference of an inbound message that is acted on once; empty: of none
-- ARGV[2] -> now, Unix seconds
-- ARGV[3] -> how many references are kept
-- ARGV[4...] -> for each number its digits, the expected entry and past, the new entry
--            and past; empty: none
--
-- Returns for each number 1, or 0 if something else is stored. The reference is kept
-- with the changes, if all of them are made.
local digits = {}
for i = 4, #ARGV, 5 do
  digits[#digits + 1] = ARGV[i]
end
local made, all = {}, true
if #digits > 0 then
  local has = redis.call('HMGET', KEYS[1], unpack(digits))
  local had = redis.call('HMGET', KEYS[2], unpack(digits))
  local entries, pasts = {}, {}
  for n = 1, #digits do
    local i = 5 * n - 1
    local entry, past = ARGV[i + 3], ARGV[i + 4]
    local stands, stood = has[n] or '', had[n] or ''
    local done = stands == entry and stood == past
    if not done and stands == ARGV[i + 1] and stood == ARGV[i + 2] then
      if entry == '' then
        redis.call('HDEL', KEYS[1], digits[n])
      elseif entry ~= stands then
        entries[#entries + 1], entries[#entries + 2] = digits[n], entry
      end
      if past ~= stood then
        pasts[#pasts + 1], pasts[#pasts + 2] = digits[n], past
      end
      done = true
    end
    all = all and done
    made[n] = done and 1 or 0
  end
  if #entries > 0 then
    redis.call('HSET', KEYS[1], unpack(entries))
  end
  if #pasts > 0 then
    redis.call('HSET', KEYS[2], unpack(pasts))
  end
end
if ARGV[1] ~= '' and all then
  redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[3]))
end
return made
