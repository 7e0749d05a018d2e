-- Appends an entry to the trace, if it follows the one that is last.
--
-- KEYS[1] -> handout:audit:{trail}, stream: fields entry (JSON) and digest
-- KEYS[2] -> handout:audit:{trail}:head, hash: number and digest of the last entry
-- ARGV[1] -> the digest of the entry before
-- ARGV[2] -> the entry
-- ARGV[3] -> its digest
-- ARGV[4] -> its number
-- ARGV[5] -> how many entries are kept, about
-- ARGV[6] -> since when, Unix milliseconds
--
-- Returns 1, or 0 when another entry is last by now.
if (redis.call('HGET', KEYS[2], 'digest') or '') ~= ARGV[1] then
  return 0
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], '*', 'entry', ARGV[2], 'digest', ARGV[3])
redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[6])
redis.call('HSET', KEYS[2], 'number', ARGV[4], 'digest', ARGV[3])
return 1
