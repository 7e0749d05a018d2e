-- Compares and sets what is kept of some numbers. Each is changed by itself, and a
-- change that stands already counts as made: the call may be repeated.
--
-- KEYS[1] -> handout:suppressed
-- KEYS[2] -> {handout:suppressed}:past
-- KEYS[3] -> {handout:suppressed}:heard
-- ARGV[1] -> the reference of an inbound message that is acted on once; empty: of none
-- ARGV[2] -> now, Unix seconds
-- ARGV[3] -> how many references are kept
-- ARGV[4...] -> for each number its digits, the expected entry and past, the new entry
--            and past; empty: none
--
-- Returns for each number 1, or 0 if something else is stored. The reference is kept
-- with the changes, if all of them are made.
local made, all = {}, true
for i = 4, #ARGV, 5 do
  local digits, entry, past = ARGV[i], ARGV[i + 3], ARGV[i + 4]
  local has = redis.call('HGET', KEYS[1], digits) or ''
  local had = redis.call('HGET', KEYS[2], digits) or ''
  local done = has == entry and had == past
  if not done and has == ARGV[i + 1] and had == ARGV[i + 2] then
    if entry == '' then
      redis.call('HDEL', KEYS[1], digits)
    elseif entry ~= has then
      redis.call('HSET', KEYS[1], digits, entry)
    end
    if past ~= had then
      redis.call('HSET', KEYS[2], digits, past)
    end
    done = true
  end
  all = all and done
  made[#made + 1] = done and 1 or 0
end
if ARGV[1] ~= '' and all then
  redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[3]))
end
return made
