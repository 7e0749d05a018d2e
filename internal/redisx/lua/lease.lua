-- Takes, keeps or gives back a lease.
--
-- KEYS[1] -> the lease, a string with an expiry
-- ARGV[1] -> token of the one who wants it
-- ARGV[2] -> how long, milliseconds; 0 gives it back
--
-- Returns 1 when the lease is (or was) the token's, else 0.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
