-- Sets a campaign's rate, if the change is still announced.
--
-- KEYS[1] -> handout:rates
-- KEYS[2] -> handout:changes:{handout:rates}:<campaign>
-- ARGV[1] -> campaign
-- ARGV[2] -> the rate, a JSON object
-- ARGV[3] -> the announcement's token
--
-- Returns 1, or 0 when a purge has deleted the announcement, or its time is over.
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
