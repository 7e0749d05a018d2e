-- Lists campaigns that are older than one, the newest first: in one step, as
-- positions move with each new campaign.
--
-- KEYS[1] -> handout:campaigns
-- ARGV[1] -> the campaign, or "" to begin with the newest
-- ARGV[2] -> how many at most
--
-- Returns the campaigns, or nil when that one isn't there.
local from = 0
if ARGV[1] ~= '' then
  local at = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  if not at then
    return false
  end
  from = at + 1
end
return redis.call('ZREVRANGE', KEYS[1], from, from + ARGV[2] - 1)
