-- Takes note of Telesign's answers, and reserves evenly spaced slots, for all
-- processes together: first for urgent callers, who may reserve further ahead, then
-- for the bulk. The same as reserve in arithmetic.go and granted.go, which say why;
-- one table and random stories test both.
--
-- KEYS[1] -> handout:pace, or a campaign's: hash with
--            seen: the latest call, last: when the last slot given out begins,
--            blocked: no slot before,
--            round, since, peak, grown, noise: what is granted,
--            answers: those of the window, "at:granted:denied:lost" with spaces between,
--            rate: as it was set
-- ARGV[1] -> microseconds between slots at the rate set
-- ARGV[2] -> how many slots are wanted by urgent callers, at most
-- ARGV[3] -> how many by the bulk, at most
-- ARGV[4] -> the rate set, messages per second; kept for reports
-- ARGV[5] -> answers since the last report that granted
-- ARGV[6] -> those that denied, to requests whose slots are of the round
-- ARGV[7] -> the round
-- ARGV[8] -> slots that were lost since the last report
-- ARGV[9] -> microseconds that Telesign asked to wait; 0 when it didn't
--
-- Returns now, the first slot's beginning, how many slots were reserved, the space
-- between them, their round, and before when there is no slot; times in
-- microseconds of Redis's clock. With none reserved the first is the one that
-- still free.
local far, near_time, near_gap = 1000000, 200000, 300000
local max_retry_after, max_growth = 60000000, 500000
local window_slots, window_parts = 50, 20
local few_answers, min_answers, min_denied, denied_share, noise_weight = 20, 40, 3, 0.035, 1.5
local kept_share, min_sharply, sharp_share, max_drop, min_kept, min_share = 0.965, 4, 0.4, 0.87, 0.58, 0.01
local growth, far_part, far_steep = 0.012, 0.1, 4
local noise_from, noise_to, noise_answers, fade_answers, max_noise = 0.3, 0.75, 300, 200, 0.08
local noise_peak, noise_share, noise_density, noise_step = 0.97, 0.12, 0.17, 0.5
local to_peak = ((1 - kept_share) / growth) ^ (1 / 3)

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local set, urgent, bulk = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local granted, denied, lost, retry_after = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8]), tonumber(ARGV[9])
local told = granted + denied + lost > 0 or retry_after > 0
local fields = redis.call('HMGET', KEYS[1], 'answers', 'seen', 'last', 'blocked', 'round', 'since', 'peak', 'grown', 'noise')
for i = 2, 9 do fields[i] = tonumber(fields[i] or '0') end
local _, seen, last, blocked, round, since, peak, grown, noise = unpack(fields)
local answers = {}
for at, yes, no, gone in string.gmatch(fields[1] or '', '(%d+):(%d+):(%d+):(%d+)') do
  answers[#answers + 1] = {tonumber(at), tonumber(yes), tonumber(no), tonumber(gone)}
end

if seen == 0 then
  last = now + far + math.min(set, 1000000) - set
elseif now < seen then
  local by = now - seen
  last, blocked, since = last + by, blocked + by, since + by
  for _, a in ipairs(answers) do a[1] = a[1] + by end
else
  grown = grown + math.max(0, math.min(now - math.max(seen, blocked), max_growth))
end
if retry_after > 0 then
  blocked = math.max(blocked, now + math.min(retry_after, max_retry_after))
end

local function window(gap) return math.max(1000000, window_slots * gap) end
local function units() return grown / window(1000000 / peak) end
local function gap_now()
  if peak == 0 then return set end
  local u = units() - to_peak
  local part = growth * u * u * u
  return math.max(set, 1000000 / (peak * (1 + part + far_steep * math.max(0, part - far_part))))
end
local function share(a) return a[3] / (a[2] + a[3]) end
local function too_many() return denied_share + noise_weight * math.min(noise, max_noise) end

-- note takes note of the answers, and lowers the rate when they say "too fast".
local function note()
  local gap = gap_now()
  local long = window(gap)
  while #answers > 1 and answers[2][1] <= now - long do table.remove(answers, 1) end
  local part, newest, n = long / window_parts, answers[#answers], granted + denied
  if newest and math.floor(newest[1] / part) == math.floor(now / part) then
    newest[1], newest[2], newest[3], newest[4] = now, newest[2] + granted, newest[3] + denied, newest[4] + lost
  else
    answers[#answers + 1] = {now, granted, denied, lost}
  end
  if n > 0 and peak > 0 then
    if units() > noise_from and units() < noise_to * to_peak then
      noise = noise + (denied - noise * n) / math.max(noise_answers, n)
    else
      noise = noise - noise * math.min(1, n / fade_answers)
    end
  end
  local from, young = now - long, true
  local all, late, since_denied = {0, 0, 0, 0}, {0, 0, 0}, {0, 0, 0}
  for _, a in ipairs(answers) do
    if a[1] > now - long then
      all[2], all[3], all[4] = all[2] + a[2], all[3] + a[3], all[4] + a[4]
      if a[1] > now - long / 4 then
        late[2], late[3] = late[2] + a[2], late[3] + a[3]
      end
      if a[3] > 0 or since_denied[3] > 0 then
        since_denied[2], since_denied[3] = since_denied[2] + a[2], since_denied[3] + a[3]
      end
    elseif a[1] > now - 2 * long then
      from, young = a[1], false
    end
  end
  local answered = all[2] + all[3]
  if answered < few_answers or answered < min_answers and share(all) < sharp_share or all[3] < min_denied or share(all) < too_many() then
    return
  end
  local new = (1 - share(all)) * 1000000 / gap
  if not young then
    new = math.min(new, all[2] * 1000000 / (now - from) * (answered + all[4]) / answered)
  end
  new = math.max(new, min_kept * 1000000 / gap)
  if new < noise_peak * peak and share(all) < noise_share and share(since_denied) < noise_density then
    noise = noise + noise_step * (share(all) - noise)
    if share(all) < too_many() then return end
  end
  if late[3] >= min_sharply and share(late) > sharp_share then
    new = math.max(max_drop * new, math.min(new, (1 - share(late)) * 1000000 / gap))
  end
  if since == 0 or gap <= set then since = now end
  round, peak, grown = round + 1, math.max(new, min_share * 1000000 / set), 0
  local waits = false
  for _, a in ipairs(answers) do
    if not waits and a[2] > 0 and a[1] > now - 1000000 then
      blocked, waits = math.max(blocked, a[1] + 1000000), true
    end
    a[3] = 0
  end
end
if seen > 0 and urgent + bulk > 0 then
  local gap = gap_now()
  lost = lost + math.floor(math.max(0, math.min(now - math.max(last + gap, blocked), window(gap))) / gap)
end
if tonumber(ARGV[7]) ~= round then denied = 0 end
if granted + denied + lost > 0 then note() end

-- Reserve.
local gap = gap_now()
local near = near_time + math.min(gap, near_gap)
local first = math.max(now, last + gap, blocked)
local n = math.max(0, math.min(urgent, math.floor((now + far - first) / gap) + 1))
if n == urgent then
  n = n + math.max(0, math.min(bulk, math.floor((now + near - first - n * gap) / gap) + 1))
end
if n > 0 then
  last = first + (n - 1) * gap
end
if n > 0 or told or seen == 0 or now < seen then
  local texts = {}
  for i, a in ipairs(answers) do texts[i] = string.format('%.0f:%d:%d:%d', a[1], a[2], a[3], a[4]) end
  redis.call('HSET', KEYS[1], 'seen', string.format('%.0f', now), 'last', string.format('%.17g', last),
    'blocked', string.format('%.17g', blocked), 'round', round, 'since', string.format('%.0f', since),
    'peak', string.format('%.17g', peak), 'grown', string.format('%.17g', grown), 'noise', string.format('%.17g', noise),
    'answers', table.concat(texts, ' '), 'rate', ARGV[4])
end
return {string.format('%.0f', now), string.format('%.17g', first), tostring(n), string.format('%.17g', gap),
  tostring(round), string.format('%.17g', blocked)}
