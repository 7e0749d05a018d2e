-- Reads what is next for an endpoint of a campaign.
--
-- KEYS[1] -> handout:{c}:told, hash: base, how many entries were trimmed off the
--            outbox; for each endpoint <id>, how many it has taken of all that ever
--            stood there, <id>:now, its batch under way, and <id>:all, the Unix
--            second when it had last taken all. One without <id> has taken none
--            since base
-- KEYS[2] -> handout:{c}:outbox, list: the positions of recipients, and JSON
--            objects for changes of the campaign's state
-- ARGV[1] -> the endpoint's ID
-- ARGV[2] -> how many entries to read at most
--
-- Returns how many entries it has taken, its batch ("" for none), and the entries
-- after them.
local progress = redis.call('HMGET', KEYS[1], 'base', ARGV[1], ARGV[1] .. ':now')
local base = tonumber(progress[1] or '0')
local cursor = math.max(tonumber(progress[2] or base), base)
return {cursor, progress[3] or '', redis.call('LRANGE', KEYS[2], cursor - base, cursor - base + tonumber(ARGV[2]) - 1)}
