-- Reads what an endpoint is to be told next of a campaign.
--
-- KEYS[1] -> handout:{c}:told, hash: base, how many entries were trimmed off the
--            outbox; for each endpoint <id>, how many it was told of all that ever
--            stood there, <id>:now, the batch that it is told now, and <id>:all,
--            the Unix second when it had been told all that stood there. One
--            without <id> has been told nothing since base
-- KEYS[2] -> handout:{c}:outbox, list: the positions of recipients, and JSON
--            objects for what happened to the whole campaign
-- ARGV[1] -> the endpoint's ID
-- ARGV[2] -> how many entries to read at most
--
-- Returns how many it was told, its batch ("" for none), and the entries after.
local told = redis.call('HMGET', KEYS[1], 'base', ARGV[1], ARGV[1] .. ':now')
local base = tonumber(told[1] or '0')
local cursor = math.max(tonumber(told[2] or base), base)
return {cursor, told[3] or '', redis.call('LRANGE', KEYS[2], cursor - base, cursor - base + tonumber(ARGV[2]) - 1)}
