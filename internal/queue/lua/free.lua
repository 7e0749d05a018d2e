-- Frees the IDs of notes that asynq will never run: archived ones, and those
-- whose parts were deleted one by one. A note that waits, or is at work, stays.
--
-- KEYS[1] -> asynq:{<queue>}:pending
-- KEYS[2] -> asynq:{<queue>}:active
-- KEYS[3] -> asynq:{<queue>}:lease
-- KEYS[4] -> asynq:{<queue>}:scheduled
-- KEYS[5] -> asynq:{<queue>}:retry
-- KEYS[6] -> asynq:{<queue>}:archived
-- KEYS[7...] -> asynq:{<queue>}:t:<id>
-- ARGV[1] -> now, Unix seconds
-- ARGV[2...] -> an ID for each of KEYS[7...]
--
-- Returns how many were freed.

-- waits says whether an ID stands among the pending. The list may be long, so
-- that its oldest entry is asked first: what is younger waits its turn.
local oldest = false
local function waits(id, since)
  if oldest == false then
    local last = redis.call('LINDEX', KEYS[1], -1)
    oldest = last and redis.call('HGET', string.gsub(KEYS[7], ':t:.*$', ':t:') .. last, 'pending_since') or nil
  end
  if since and oldest and tonumber(since) > tonumber(oldest) then
    return true
  end
  return redis.call('LPOS', KEYS[1], id)
end

local freed = 0
for i = 7, #KEYS do
  local id = ARGV[i - 5]
  local note = redis.call('HMGET', KEYS[i], 'state', 'msg', 'pending_since')
  local state, lives = note[1], note[2]
  if lives then
    if state == 'pending' then
      lives = waits(id, note[3])
    elseif state == 'active' then
      local lease = redis.call('ZSCORE', KEYS[3], id)
      lives = lease and tonumber(lease) > tonumber(ARGV[1]) -- its worker renews it
    elseif state == 'scheduled' then
      lives = redis.call('ZSCORE', KEYS[4], id)
    elseif state == 'retry' then
      lives = redis.call('ZSCORE', KEYS[5], id)
    else
      lives = false -- archived
    end
  end
  if not lives and redis.call('DEL', KEYS[i]) == 1 then
    redis.call('LREM', KEYS[1], 0, id)
    redis.call('LREM', KEYS[2], 0, id)
    for k = 3, 6 do
      redis.call('ZREM', KEYS[k], id)
    end
    freed = freed + 1
  end
end
return freed
