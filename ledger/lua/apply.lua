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
--            field outbox of meta has letters: r, somebody is told of recipients,
--            c, of the campaign
-- KEYS[7...] -> hashes of records, of references and of records as they stood
-- ARGV[1] -> names of the counters, separated by blanks; letter a is the first
-- ARGV[2] -> "" when no change tells the watch anything; else three numbers: the
--            doubts in a row that hold the campaign, how many outcomes are kept,
--            and the most failures among these that don't hold it
-- ARGV[3] -> the reason of a hold for failures, a format for how many of how many
-- ARGV[4] -> the reason of a hold for doubts
-- ARGV[5] -> the line for the history, "@" for the reason
-- then for each change ten:
--   +1 index in KEYS of the hash of records
--   +2 field
--   +3 the record as it must stand now ("" for none)
--   +4 the record as it shall be
--   +5 letters of the counters to lower, ">", letters of the counters to raise
--   +6 "" | "r": only while the campaign's state is running | the recipient's
--      position, whose outcome this is, or a change of it
--   +7 "" | index in KEYS of the hash of references "," value ":" field
--   +8 "" | page "," Unix milliseconds: settle must look at the page by then, and
--      a campaign that was done is settling again
--   +9 "" | what it tells the watch: "d" a doubt, "a" an answer, "r" an answer
--      and a failure, "f" a failure, "g" another outcome
--   +10 "" | index in KEYS of the hash of records as they stood "," attempt: the
--      record that is replaced is kept there, of the latest 20 attempts
--
-- Returns a list with an answer for each change: 1 set; 0 the campaign isn't
-- running; otherwise the record that stands now, and nothing was changed. That
-- may be the record as it shall be: the change was made before. In a purged
-- campaign every answer is the Unix millisecond of the purge: nothing is read
-- there, and nothing written any more.
local answers = {}
local delta = {}
local meta = redis.call('HMGET', KEYS[1], 'state', 'purged', 'outbox', 'doubts')
if meta[2] then
  for i = 1, (#ARGV - 5) / 10 do
    answers[i] = tonumber(meta[2])
  end
  return answers
end
local running = meta[1] == 'running'
local told = ''
local outbox, happened = {}, {}
local n = 0
for i = 6, #ARGV, 10 do
  n = n + 1
  local key, field = KEYS[tonumber(ARGV[i])], ARGV[i + 1]
  local old, new = ARGV[i + 2], ARGV[i + 3]
  local stopped = ARGV[i + 5] == 'r' and not running
  -- The first record of all costs one command, each later one two.
  local set = old == '' and not stopped and redis.call('HSETNX', key, field, new) == 1
  if not set then
    local now = redis.call('HGET', key, field) or ''
    if now == new then
      answers[n] = now -- made already, and the answer was lost: whatever the campaign's state is by now
    elseif stopped then
      answers[n] = 0
    elseif now ~= old then
      answers[n] = now
    else
      redis.call('HSET', key, field, new)
      set = true
    end
  end
  if set then
    local sign = -1
    for _, c in ipairs({string.byte(ARGV[i + 4], 1, -1)}) do
      if c == 62 then
        sign = 1
      else
        delta[c] = (delta[c] or 0) + sign
      end
    end
    local ref = ARGV[i + 6]
    if ref ~= '' then
      local comma = string.find(ref, ',', 1, true)
      local colon = string.find(ref, ':', comma, true)
      redis.call('HSET', KEYS[tonumber(string.sub(ref, 1, comma - 1))],
        string.sub(ref, colon + 1), string.sub(ref, comma + 1, colon - 1))
    end
    local past = ARGV[i + 9]
    if past ~= '' then
      local comma = string.find(past, ',', 1, true)
      local hash, attempt = KEYS[tonumber(string.sub(past, 1, comma - 1))], tonumber(string.sub(past, comma + 1))
      redis.call('HSET', hash, field .. '.' .. attempt, old)
      if attempt > 20 then
        redis.call('HDEL', hash, field .. '.' .. (attempt - 20))
      end
    end
    local call = ARGV[i + 7]
    if call ~= '' then
      local comma = string.find(call, ',', 1, true)
      local page, at = string.sub(call, 1, comma - 1), tonumber(string.sub(call, comma + 1))
      local stands = redis.call('ZSCORE', KEYS[3], page)
      if not stands or tonumber(stands) > at then
        redis.call('ZADD', KEYS[3], at, page)
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
    if ARGV[i + 5] ~= '' and ARGV[i + 5] ~= 'r' then
      outbox[#outbox + 1] = ARGV[i + 5]
    end
    told = told .. ARGV[i + 8]
    answers[n] = 1
  end
end
local c = 97
for name in string.gmatch(ARGV[1], '%S+') do
  local d = delta[c]
  if d and d ~= 0 then
    redis.call('HINCRBY', KEYS[2], name, d)
  end
  c = c + 1
end
local doubts = tonumber(meta[4] or '0')
if told ~= '' and (doubts > 0 or string.find(told, '[^a]')) then -- else: answers, as ever
  local most, kept, spared = string.match(ARGV[2], '(%d+) (%d+) (%d+)')
  most, kept, spared = tonumber(most), tonumber(kept), tonumber(spared)
  local stood = string.find(told, '[rfg]') and redis.call('HGET', KEYS[4], 'last') or ''
  local last = stood
  local _, failures = string.gsub(last, 'f', '')
  local reason
  for s in string.gmatch(told, '.') do
    if s == 'd' then
      doubts = doubts + 1
      if doubts >= most then
        reason = reason or ARGV[4]
      end
    end
    if s == 'a' or s == 'r' then
      doubts = 0
    end
    if s == 'r' or s == 'f' or s == 'g' then
      last = last .. (s == 'g' and 'g' or 'f')
      failures = failures + (s == 'g' and 0 or 1)
      if #last > kept then
        failures = failures - (string.sub(last, 1, 1) == 'f' and 1 or 0)
        last = string.sub(last, 2)
      end
      if s ~= 'g' and failures > spared then
        reason = reason or string.format(ARGV[3], failures, #last)
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
    local line = string.gsub(ARGV[5], '@', function() return reason end)
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
