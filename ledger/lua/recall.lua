-- Has the pages looked at again whose tasks came to nothing while the campaign was
-- stopped: those that wait for the campaign, and those that are due soon.
--
-- KEYS[1] -> handout:{c}:meta
-- KEYS[2...] -> the lines of pages
-- ARGV[1] -> the recall that must stand there, see fieldRecall
-- ARGV[2] -> now, Unix milliseconds
-- ARGV[3] -> what is due by then is due soon
-- ARGV[4] -> the time of a page that waits for the campaign
--
-- Returns 1, or 0 when another recall stands there.
if redis.call('HGET', KEYS[1], 'recall') ~= ARGV[1] then
  return 0
end
for i = 2, #KEYS do
  for _, range in ipairs({{ARGV[2], ARGV[3]}, {ARGV[4], '+inf'}}) do
    for _, page in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], range[1], range[2])) do
      redis.call('ZADD', KEYS[i], ARGV[2], page)
    end
  end
end
redis.call('HDEL', KEYS[1], 'recall')
return 1
