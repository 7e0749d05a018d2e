-- Records up to when a schedule's ticks have been judged; it only grows.
--
-- KEYS[1] -> handout:{schedule:<name>}
-- ARGV[1] -> Unix seconds; everything up to then has been judged
--
-- Returns the Unix seconds that are stored then.
local stands = tonumber(redis.call('HGET', KEYS[1], 'seen') or '0')
if tonumber(ARGV[1]) > stands then
  redis.call('HSET', KEYS[1], 'seen', ARGV[1])
  return tonumber(ARGV[1])
end
return stands
