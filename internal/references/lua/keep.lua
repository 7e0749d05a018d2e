-- Keeps an early receipt.
--
-- KEYS[1] -> handout:early:<reference>
-- ARGV[1] -> the receipt
-- ARGV[2] -> how many are kept, the latest
-- ARGV[3] -> for how many seconds, from the first on
--
-- Returns 1.
if redis.call('RPUSH', KEYS[1], ARGV[1]) == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
return 1
