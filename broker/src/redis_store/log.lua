-- The rules of one recoverable channel (core/log.hpp), inside Redis: decides, stores and publishes
-- in one step. Judged by the same model as Log. Layout and reasons: docs/decisions/0011.
--   KEYS: 1 meta (hash), 2 records (stream; id = offset), 3 last offset of each key (sorted set),
--     4 marks (hash), 5 sources in the order of use (sorted set), 6 Idempotency-Keys (hash), 7 the
--     same in their order (list)
--   ARGV: 1 operation, 2 and 3 whose mastership this is (config epoch, run id), 4 whether a restart
--     of the same master keeps what it has, 5 time, 6 PUBLISH or SPUBLISH (empty: tell nobody),
--     7 where, 8 an epoch nobody has, 9 history_length_max, 10 history_bytes_max,
--     11 history_age_max, 12 compact, 13 refuse_when_full, 14 sources_max, 15 source_ttl,
--     16 idempotency_keys_max, 17 idempotency_ttl, 18 position_ttl, then what the operation wants
-- Times are milliseconds; "+n" is Redis's own clock and n. Numbers are doubles, exact to 2^53;
-- sequences are compared as zero-padded text.
local call = redis.call
local META, RECORDS, LAST, MARKS, USES, KNOWN, KNOWN_ORDER = unpack(KEYS)
local operation, config_epoch, run_id, keeps_over_restart = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local publish, told_on, fresh = ARGV[6], ARGV[7], ARGV[8]
local length_max, bytes_max, age_max = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local compact, refuse_when_full = ARGV[12] == '1', ARGV[13] == '1'
local sources_max, source_ttl = tonumber(ARGV[14]), tonumber(ARGV[15])
local known_max, known_ttl, position_ttl =
  tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18])
local FIRST = 19                       -- the first argument of the operation itself
local OFFSET_MAX = 9007199254740991
local SLACK = 60000                    -- Redis forgets keys this much later than the rules

local function whole(number) return string.format('%.0f', number) end
local function max(a, b) if a > b then return a end return b end
local function min(a, b) if a < b then return a end return b end

local now
if string.sub(ARGV[5], 1, 1) == '+' then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    + tonumber(string.sub(ARGV[5], 2))
else
  now = tonumber(ARGV[5])
end

-- What the log is, as meta has it; `told` is what will be published at the end.
local epoch, top, floor, ending, live, bytes, unkeyed, uses, oldest
local begun, changed, told = false, false, {}
local crowned = false                  -- meta is to say anew under whom this was written

-- A master keeps its replication id until it stops being one, also when its config epoch rises, as
-- it does when it takes a slot over.
local function reign()
  return string.match(call('INFO', 'replication'), 'master_replid:(%x+)') or ''
end

local function begin(new_epoch)
  call('DEL', RECORDS, LAST, MARKS, USES, KNOWN, KNOWN_ORDER)
  epoch, top, floor, ending, live, bytes, unkeyed, uses, oldest =
    new_epoch, 0, 0, 0, 0, 0, 0, 0, 0
  begun, changed = true, true
end

local function tell_begun()
  if not begun then return end
  told[#told + 1] = 'b' .. epoch .. whole(top) .. ' ' .. whole(min(floor, top)) .. '\n'
  begun = false
end

-- A record: its stream entry is n "kind appended bytes end", k key, x other texts, p payload.
local function record_of(entry)
  if not entry then return nil end
  local f = entry[2]
  local kind, at, size, ends = string.match(f[2], '^(%a) (%d+) (%d+) (%d+)$')
  return { offset = tonumber(string.match(entry[1], '^%d+')), kind = kind, at = tonumber(at),
           bytes = tonumber(size), ends = tonumber(ends), key = f[4], rest = f[6], payload = f[8] }
end
local function first_from(offset)
  return record_of(call('XRANGE', RECORDS, whole(offset), '+', 'COUNT', 1)[1])
end
local function record_at(offset)
  if offset < 1 then return nil end
  return record_of(call('XRANGE', RECORDS, whole(offset), whole(offset))[1])
end
local function last_of_key(key)
  if key == '' then return unkeyed end
  return tonumber(call('ZSCORE', LAST, key) or 0)
end

local function remove(record)
  call('XDEL', RECORDS, whole(record.offset))
  live, bytes, changed = live - 1, bytes - record.bytes, true
  if record.key == '' then
    floor = max(floor, record.offset)
  elseif last_of_key(record.key) == record.offset then
    call('ZREM', LAST, record.key)
    floor = max(floor, record.offset)
  end
end

-- `oldest` is never later than the first record's time, so most calls needn't look.
local function expire()
  if age_max == 0 or refuse_when_full then return end
  while live > 0 and oldest + age_max <= now do
    local first = first_from(0)
    if not first then error('records of ' .. META .. ' are missing') end
    oldest, changed = first.at, true
    if first.at + age_max > now then return end
    remove(first)
  end
end

local function trim()
  if refuse_when_full then return end
  while live > length_max or (bytes > bytes_max and live > 0) do remove(first_from(0)) end
end

-- Redis forgets what nobody used for long: the records when even the last has aged, the rest
-- likewise. What is kept for ever holds its log's position for ever too.
local function keep_for()
  local for_ever = live > 0 and (age_max == 0 or refuse_when_full)
  local aged = live > 0 and age_max or 0
  if for_ever then
    for i = 1, 3 do call('PERSIST', KEYS[i]) end
    return
  end
  call('PEXPIRE', META, whole(position_ttl + aged + SLACK))
  if live > 0 then
    call('PEXPIRE', RECORDS, whole(age_max + SLACK))
    call('PEXPIRE', LAST, whole(age_max + SLACK))
  end
end

local function load()
  local m = call('HMGET', META, 'epoch', 'top', 'floor', 'end', 'live', 'bytes', 'unkeyed', 'uses',
    'oldest', 'config_epoch', 'run_id', 'reign')
  crowned = m[10] ~= config_epoch or m[11] ~= run_id
  if not m[1] then return begin(fresh) end
  epoch = m[1]
  top, floor, ending, live, bytes, unkeyed, uses, oldest = tonumber(m[2]), tonumber(m[3]),
    tonumber(m[4]), tonumber(m[5]), tonumber(m[6]), tonumber(m[7]), tonumber(m[8]), tonumber(m[9])
  if crowned then
    if tonumber(config_epoch) < tonumber(m[10]) then
      return redis.error_reply('STALEMASTER the log was written under config epoch ' .. m[10] ..
        ', and this Redis is master of ' .. config_epoch)
    end
    local same_reign = m[11] == run_id and m[12] == reign()
    local same_master = m[10] == config_epoch and keeps_over_restart
    if not same_reign and not same_master then return begin(fresh) end
    changed = true
  end
  if live > 0 and call('EXISTS', RECORDS) == 0 then
    call('DEL', LAST)
    floor, live, bytes, oldest, changed = top, 0, 0, 0, true
  end
  expire()
end

local function save()
  tell_begun()
  if changed then
    call('HSET', META, 'epoch', epoch, 'top', whole(top), 'floor', whole(floor), 'end',
      whole(ending), 'live', whole(live), 'bytes', whole(bytes), 'unkeyed', whole(unkeyed), 'uses',
      whole(uses), 'oldest', whole(oldest), 'config_epoch', config_epoch, 'run_id', run_id)
  end
  if crowned then call('HSET', META, 'reign', reign()) end
  keep_for()
  if #told > 0 and publish ~= '' then call(publish, told_on, table.concat(told)) end
end

-- A source's mark: "sequence offset used", and its place in the order of use.
local function mark_of(source)
  local text = source ~= '' and call('HGET', MARKS, source)
  if not text then return nil end
  local sequence, offset, used = string.match(text, '^(%S+) (%d+) (%d+)$')
  if tonumber(used) + source_ttl <= now then return nil end
  return { sequence = sequence, offset = tonumber(offset) }
end
local function set_mark(source, sequence)
  if source == '' or sources_max == 0 then return end
  if call('HEXISTS', MARKS, source) == 0 then
    while call('ZCARD', USES) >= sources_max do call('HDEL', MARKS, call('ZPOPMIN', USES)[1]) end
  end
  uses, changed = uses + 1, true
  call('HSET', MARKS, source, sequence .. ' ' .. whole(top) .. ' ' .. whole(now))
  call('ZADD', USES, whole(uses), source)
  call('PEXPIRE', MARKS, whole(source_ttl + SLACK))
  call('PEXPIRE', USES, whole(source_ttl + SLACK))
end

-- An Idempotency-Key: "hash offset since".
local function known_as(key)
  local text = key ~= '' and call('HGET', KNOWN, key)
  if not text then return nil end
  local hash, offset, since = string.match(text, '^(%S+) (%d+) (%d+)$')
  if tonumber(since) + known_ttl <= now then return nil end
  return { hash = hash, offset = tonumber(offset) }
end
local function remember(key, hash)
  if key == '' or known_max == 0 then return end
  if call('HDEL', KNOWN, key) > 0 then call('LREM', KNOWN_ORDER, 1, key) end
  while call('LLEN', KNOWN_ORDER) >= known_max do call('HDEL', KNOWN, call('LPOP', KNOWN_ORDER)) end
  call('HSET', KNOWN, key, hash .. ' ' .. whole(top) .. ' ' .. whole(now))
  call('RPUSH', KNOWN_ORDER, key)
  call('PEXPIRE', KNOWN, whole(known_ttl + SLACK))
  call('PEXPIRE', KNOWN_ORDER, whole(known_ttl + SLACK))
end

local function tell_appended(p, before)
  tell_begun()
  told[#told + 1] = 'a' .. epoch .. whole(before) .. ' ' .. whole(top) .. ' ' .. #p.key .. ' ' ..
    #p.rest .. ' ' .. #p.payload .. '\n' .. p.key .. p.rest .. p.payload
end

-- `before`: the top that whoever heard all of this log has come to.
local function add(p, before)
  tell_begun()
  top, ending = top + 1, ending + #p.payload
  local last = p.key ~= '' and last_of_key(p.key) or 0
  call('XADD', RECORDS, whole(top), 'n', p.kind .. ' ' .. whole(now) .. ' ' .. whole(p.bytes) ..
    ' ' .. whole(ending), 'k', p.key, 'x', p.rest, 'p', p.payload)
  if live == 0 then oldest = now end
  live, bytes, changed = live + 1, bytes + p.bytes, true
  if p.key == '' then unkeyed = top else call('ZADD', LAST, whole(top), p.key) end
  if compact and last > 0 then remove(record_at(last)) end
  tell_appended(p, before)
  trim()
end

-- Outcomes: {'ok', epoch, offset, end}, {'again', epoch, offset, end, last},
-- {'no', code, message, offset, last, epoch, end}.
local function no(code, message, offset, last)
  return { 'no', code, message, offset and whole(offset) or '', last or '', epoch, whole(ending) }
end
local function unexpected(message, key)
  return no('expectation_failed', message, key == '' and top or last_of_key(key))
end
local function ok()
  return { 'ok', epoch, whole(top), whole(ending) }
end
local function again(offset, last)
  local record = record_at(offset)
  return { 'again', epoch, whole(offset), whole(record and record.ends or 0), last or '' }
end

local function current(key)
  if key ~= '' then return record_at(last_of_key(key)) end
  return record_of(call('XREVRANGE', RECORDS, '+', '-', 'COUNT', 1)[1])
end
local function has_value(key)
  local record = current(key)
  return record ~= nil and record.kind ~= 'd'
end

local function seen_before(p)
  local known = known_as(p.idempotency_key)
  if known then
    if known.hash ~= p.hash then
      return no('idempotency_conflict', 'the Idempotency-Key was used with another body')
    end
    return again(known.offset)
  end
  local mark = mark_of(p.source)
  if not mark or p.sequence > mark.sequence then return nil end
  return again(p.sequence == mark.sequence and mark.offset or 0, mark.sequence)
end

local function not_as_expected(p)
  if p.previous ~= '' then
    if p.source == '' then return no('command_invalid', 'previous needs a source') end
    local mark = mark_of(p.source)
    if not mark or mark.sequence ~= p.previous then
      return no('sequence_gap', 'previous is not the sequence remembered of this source', nil,
        mark and mark.sequence)
    end
  end
  if p.expect_epoch ~= '' then
    local is = p.key == '' and top or last_of_key(p.key)
    if p.expect_epoch ~= epoch or p.expect_offset ~= is then
      return unexpected('the position is not the expected one', p.key)
    end
  end
  if p.expect_value ~= '' then
    local there = has_value(p.key)
    if there ~= (p.expect_value == 'present') then
      return unexpected(there and 'there is a value already' or 'there is no value', p.key)
    end
  end
  if p.expect_end and p.expect_end ~= ending then
    return unexpected('the bytes do not end where it was expected', p.key)
  end
end

local function not_fitting(p)
  if top >= OFFSET_MAX or ending + #p.payload > OFFSET_MAX then
    return no('log_full', 'the log has used up its offsets')
  end
  if not refuse_when_full then return nil end
  local length, size = live, bytes
  if p.replace ~= '' then
    length, size = 0, 0
  else
    local before = current(p.key)
    if p.kind == 'd' and before and before.kind ~= 'd' then return nil end
    if compact and before and p.key ~= '' then length, size = length - 1, size - before.bytes end
  end
  if length + 1 > length_max then
    return no('log_full', 'the channel has its history_length_max publications')
  end
  if size + p.bytes > bytes_max then
    return no('log_full', 'it would have more than its history_bytes_max bytes')
  end
end

local function misplaced(p)
  if p.previous ~= '' or p.replace ~= '' or p.expect_value ~= '' or p.idempotency_key ~= '' then
    return no('command_invalid', 'place goes with no other condition')
  end
  local possible = p.place_offset >= 1 and p.place_offset <= OFFSET_MAX and
    (p.place_floor or 0) <= p.place_offset and (p.expect_end or 0) <= OFFSET_MAX
  if not possible then return no('command_invalid', 'place is no position of a log') end
  if p.expect_epoch ~= '' and (p.expect_epoch ~= epoch or p.expect_offset ~= top) then
    return unexpected("the log's top is not the expected one", '')
  end
  if top == 0 then return nil end
  if p.place_epoch ~= epoch or p.place_offset <= top then
    return unexpected('the log is in another epoch, or has that offset already', '')
  end
  if (p.expect_end or ending) < ending then
    return no('command_invalid', "place begins before the log's last byte")
  end
end

local function place(p)
  local before = p.place_offset - 1
  if top == 0 and p.place_epoch ~= epoch then begin(p.place_epoch) end
  local heard = top
  if p.place_floor then
    floor = max(floor, p.place_floor)
  elseif before > top then
    floor = before
  end
  top, ending, changed = before, p.expect_end or ending, true
  while live > 0 do
    local first = first_from(0)
    if first.offset > floor then break end
    remove(first)
  end
  if begun then heard = top end
  if floor == p.place_offset then
    tell_begun()
    top, ending = floor, ending + #p.payload
    tell_appended(p, heard)
  else
    add(p, heard)
  end
  local mark = mark_of(p.source)
  if not mark or p.sequence > mark.sequence then set_mark(p.source, p.sequence) end
  return ok()
end

local function append(p)
  if p.place_epoch ~= '' then return misplaced(p) or place(p) end
  local refused = seen_before(p) or not_as_expected(p) or not_fitting(p)
  if refused then return refused end
  if p.replace ~= '' then begin(p.replace) end
  add(p, top)
  set_mark(p.source, p.sequence)
  remember(p.idempotency_key, p.hash)
  return ok()
end

local PUBLISH_ARGUMENTS = 18
local function publish_at(i)
  return { kind = ARGV[i], payload = ARGV[i + 1], key = ARGV[i + 2], rest = ARGV[i + 3],
    bytes = tonumber(ARGV[i + 4]), source = ARGV[i + 5], sequence = ARGV[i + 6],
    previous = ARGV[i + 7], idempotency_key = ARGV[i + 8], hash = ARGV[i + 9],
    expect_epoch = ARGV[i + 10], expect_offset = tonumber(ARGV[i + 11]),
    expect_value = ARGV[i + 12], expect_end = tonumber(ARGV[i + 13]), replace = ARGV[i + 14],
    place_epoch = ARGV[i + 15], place_offset = tonumber(ARGV[i + 16]),
    place_floor = tonumber(ARGV[i + 17]) }
end

-- Counts publications and bytes against a read's limits; the first one always fits.
local function room_for(limit, most)
  local taken, size = 0, 0
  return function(more)
    size = size + more
    if taken == limit or (taken > 0 and size > most) then return false end
    taken = taken + 1
    return true
  end
end
local function walk(command, from, to)
  local chunk, i = {}, 0
  return function()
    i = i + 1
    if i > #chunk then
      if #chunk > 0 then
        local last = tonumber(string.match(chunk[#chunk][1], '^%d+'))
        from = command == 'XRANGE' and last + 1 or last - 1
        if from < 1 then return nil end
      end
      chunk, i = call(command, RECORDS, whole(from), to, 'COUNT', 16), 1
    end
    return record_of(chunk[i])
  end
end
-- The last of each key above `after`, by offset: those with a key, and the one without.
local function walk_state(after, limit)
  local keys = call('ZRANGEBYSCORE', LAST, '(' .. whole(after), '+inf', 'WITHSCORES', 'LIMIT', 0,
    whole(limit + 1))
  local bare = unkeyed > after and record_at(unkeyed) or nil
  local i = 2
  return function()
    local offset = tonumber(keys[i])
    if bare and (not offset or bare.offset < offset) then
      local record = bare
      bare = nil
      return record
    end
    i = i + 2
    return offset and record_at(offset)
  end
end

local function read(mode, of, after, limit, most)
  local page = { 'ok', epoch, whole(top), whole(floor), whole(ending) }
  local from, to, first_byte, chosen = 0, top, 0, {}
  local function lose()
    page[1] = 'lost'
    return page
  end
  local function take(record, payload)
    for _, value in ipairs({ whole(record.offset), record.key, record.rest, payload }) do
      chosen[#chosen + 1] = value
    end
  end
  if of ~= '' and of ~= epoch then return lose() end
  if of ~= '' and mode == 'forward' and (after < floor or after > top) then return lose() end
  local fits = room_for(limit, most)
  if mode == 'bytes' then
    local at, left, pieces = after, most, 0
    first_byte = at
    if at > ending then return lose() end
    from = top
    if at < ending then
      local low, high = 1, top
      while low < high do
        local middle = math.floor((low + high) / 2)
        local record = first_from(middle)
        if not record or record.ends > at then high = middle else low = record.offset + 1 end
      end
      for record in walk('XRANGE', low, '+') do
        local begins = record.ends - #record.payload
        if begins > at or left == 0 or pieces == limit then break end
        local taken = min(record.ends - at, left)
        if taken > 0 then
          take(record, string.sub(record.payload, at - begins + 1, at - begins + taken))
          if pieces == 0 then from = record.offset - 1 end
          to, pieces, at, left = record.offset, pieces + 1, at + taken, left - taken
        end
      end
      if pieces == 0 and most > 0 and limit > 0 then return lose() end
    end
  elseif mode == 'reverse' then
    if after > 0 then to = min(to, after - 1) end
    local last
    for record in walk('XREVRANGE', to, '-') do
      if not fits(record.bytes) then
        from = last and last - 1 or to
        break
      end
      take(record, record.payload)
      last = record.offset
    end
  else
    from = min(after, top)
    local last
    for record in mode == 'state' and walk_state(from, limit) or walk('XRANGE', from + 1, '+') do
      if not fits(record.bytes) then
        to = last or from
        break
      end
      if not last then first_byte = record.ends - #record.payload end
      take(record, record.payload)
      last = record.offset
    end
  end
  page[6], page[7], page[8] = whole(from), whole(to), whole(first_byte)
  for i = 1, #chosen do page[8 + i] = chosen[i] end
  return page
end

local stale = load()
if stale then return stale end
local answer
if operation == 'append' then
  answer = {}
  for i = FIRST, #ARGV, PUBLISH_ARGUMENTS do answer[#answer + 1] = append(publish_at(i)) end
elseif operation == 'read' then
  answer = read(ARGV[FIRST], ARGV[FIRST + 1], tonumber(ARGV[FIRST + 2]), tonumber(ARGV[FIRST + 3]),
    tonumber(ARGV[FIRST + 4]))
elseif operation == 'end' and epoch == ARGV[FIRST] then
  begin(fresh) -- its past can't be vouched for, as whoever asks has seen
end
save()
return answer or { 'ok', epoch, whole(top), whole(floor), whole(ending) }
