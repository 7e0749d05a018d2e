-- Adds entries to the index.
--
-- KEYS[i] -> the bucket of an entry
-- ARGV[1] -> seconds that a new bucket is kept
-- ARGV[i+1] -> the entry
--
-- Returns 1.
for i, bucket in ipairs(KEYS) do
  if redis.call('APPEND', bucket, ARGV[i + 1]) == #ARGV[i + 1] then
    redis.call('EXPIRE', bucket, ARGV[1])
  end
end
return 1
