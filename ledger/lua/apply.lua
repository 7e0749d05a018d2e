-- Compare-and-set of records and their counts, many recipients at once. What
-- they tell of the whole campaign is watched in the same step, and holds it.
--
-- KEYS[1] -> handout:{c}:meta; its field doubts is how many there were in a row
-- KEYS[2] -> handout:{c}:counts
-- KEYS[3] -> handout:{c}:due
-- KEYS[4] -> handout:{c}:watch, hash: last, the latest outcomes, a letter each,
--            the oldest first
-- KEYS[5] -> handout:{c}:history
-- KEYS[6] -> handout:{c}:outbox, list, see internal/webhook/outbox; written only while the
--            field outbox of meta has letters: r, an endpoint gets recipients,
--            c, of the campaign
-- KEYS[7...] -> hashes of records, of references and of records as they stood;
--            a change names them by their number
-- ARGV[1] -> the campaign's salt: one of this name with another has other people
-- ARGV[2] -> "" when no change tells the watch anything; else JSON, see watch in
--            watch.go
-- then for each change its fields, in the order of the line with unpack below and
-- of change.args in apply.go; a field that doesn't apply is "":
--   records      number of the hash of records, in KEYS
--   index        of the recipient in it
--   old, new     the record as it must stand now ("": none), and as it shall be
--   move         names of the counters that go down, " > ", names of those that go
--                up, as in "planned > claimed"
--   running      "1": only while the campaign is running
--   outcome      position of the recipient, whose outcome this is, or a change of it
--   signal       what it tells the watch: "doubt", "taken" for an accepted request,
--                "refused", "failed", "good"
--   claimed      when the attempt was claimed that the signal is of, in Unix seconds:
--                one of before the last resume tells the watch nothing
--   page, due    settle must look at this page by then, in Unix milliseconds, and a
--                campaign that was done is settling again
--   references   number of the hash of references, and the entry that it gets:
--   reference, referent
--   past         number of the hash of records as they stood: old is kept there,
--   attempt      as that of this attempt, of the latest 20
--
-- Returns a list with an answer for each change: 1 set; 0 the campaign isn't
-- running; otherwise the record that stands now, and nothing was changed. That
-- may be the record as it shall be: the change was made before. In a purged
-- campaign every answer is the Unix millisecond of the purge, and where there is
-- none with this salt every answer is -1: nothing is read there, and nothing written.
local width = 16 -- fields of a change
local answers = {}
local moves = {} -- how often each was made
local meta = redis.call('HMGET', KEYS[1], 'state', 'purged', 'outbox', 'doubts', 'salt', 'resumed')
local refused = meta[5] ~= ARGV[1] and -1 or tonumber(meta[2] or nil)
if refused then
  for i = 1, (#ARGV - 2) / width do
    answers[i] = refused
  end
  return answers
end
local running = meta[1] == 'running'
local resumed = math.floor(tonumber(meta[6] or '0') / 1000)
local signals, unusual = {}, false
local outbox, happened = {}, {}
for i = 3, #ARGV, width do
  local records, index, old, new, move, only_running, outcome, signal, claimed, page, due,
    references, reference, referent, past, attempt = unpack(ARGV, i, i + width - 1)
  local hash = KEYS[tonumber(records)]
  local stopped = only_running == '1' and not running
  local answer = 1
  -- The first record of all costs one command, each later one two.
  if old ~= '' or stopped or redis.call('HSETNX', hash, index, new) == 0 then
    local now = redis.call('HGET', hash, index) or ''
    if now == new then
      answer = now -- made already, and the answer was lost: whatever the campaign's state is by now
      if only_running == '1' then
        redis.call('HSET', hash, index, new) -- a write again, which WAIT waits for
      end
    elseif stopped then
      answer = 0
    elseif now ~= old then
      answer = now
    else
      redis.call('HSET', hash, index, new)
    end
  end
  if answer == 1 then
    moves[move] = (moves[move] or 0) + 1
    if references ~= '' then
      redis.call('HSET', KEYS[tonumber(references)], reference, referent)
    end
    if past ~= '' then
      redis.call('HSET', KEYS[tonumber(past)], index .. '.' .. attempt, old)
      if tonumber(attempt) > 20 then
        redis.call('HDEL', KEYS[tonumber(past)], index .. '.' .. (attempt - 20))
      end
    end
    if due ~= '' then
      local stands = redis.call('ZSCORE', KEYS[3], page)
      if not stands or tonumber(stands) > tonumber(due) then
        redis.call('ZADD', KEYS[3], due, page)
      else
        -- Changed all the same: a visitor who has read it can't put it off.
        redis.call('ZINCRBY', KEYS[3], -1, page)
      end
      if meta[1] == 'done' then
        redis.call('HSET', KEYS[1], 'state', 'settling', 'finished', '')
        meta[1] = 'settling'
        happened[#happened + 1] = {state = 'settling', reason = '', line = ''}
      end
    end
    if outcome ~= '' then
      outbox[#outbox + 1] = outcome
    end
    if signal ~= '' and tonumber(claimed) >= resumed then
      signals[#signals + 1] = signal
      unusual = unusual or signal ~= 'taken'
    end
  end
  answers[#answers + 1] = answer
end

-- Each counter changes once, by what all moves come to.
local delta = {}
for move, times in pairs(moves) do
  local sign = -1
  for name in string.gmatch(move, '%S+') do
    if name == '>' then
      sign = 1
    else
      delta[name] = (delta[name] or 0) + sign * times
    end
  end
end
for name, d in pairs(delta) do
  if d ~= 0 then
    redis.call('HINCRBY', KEYS[2], name, d)
  end
end

local doubts = tonumber(meta[4] or '0')
if unusual or (doubts > 0 and #signals > 0) then -- else: answers, as ever
  local watch = cjson.decode(ARGV[2])
  local stood = unusual and redis.call('HGET', KEYS[4], 'last') or ''
  local last = stood
  local _, failures = string.gsub(last, 'f', '')
  local reason
  for _, signal in ipairs(signals) do
    if signal == 'doubt' then
      doubts = doubts + 1
      if doubts >= watch.max_doubts then
        reason = reason or watch.doubts
      end
    elseif signal == 'taken' or signal == 'refused' then
      doubts = 0
    end
    if signal == 'refused' or signal == 'failed' or signal == 'good' then
      local failed = signal ~= 'good'
      last = last .. (failed and 'f' or 'g')
      failures = failures + (failed and 1 or 0)
      if #last > watch.last_outcomes then
        failures = failures - (string.sub(last, 1, 1) == 'f' and 1 or 0)
        last = string.sub(last, 2)
      end
      if failed and failures > watch.max_failures then
        reason = reason or string.format(watch.failures, failures, #last)
      end
    end
  end
  if last ~= stood then
    redis.call('HSET', KEYS[4], 'last', last)
  end
  if doubts ~= tonumber(meta[4] or '0') then
    redis.call('HSET', KEYS[1], 'doubts', doubts)
  end
  if reason and redis.call('HGET', KEYS[1], 'state') == 'running' then
    redis.call('HSET', KEYS[1], 'state', 'held', 'reason', reason)
    local line = string.gsub(watch.line, '@', function() return reason end)
    redis.call('RPUSH', KEYS[5], line)
    redis.call('LTRIM', KEYS[5], -1000, -1)
    happened[#happened + 1] = {state = 'held', reason = reason, line = line}
  end
end
if meta[3] then
  if #outbox > 0 and string.find(meta[3], 'r', 1, true) then
    redis.call('RPUSH', KEYS[6], unpack(outbox))
  end
  if #happened > 0 and string.find(meta[3], 'c', 1, true) then
    local time = redis.call('TIME')
    for _, h in ipairs(happened) do
      h.at = time[1]
      redis.call('RPUSH', KEYS[6], cjson.encode(h))
    end
  end
end
return answers
