-- Who is in the channels of one partition and which of them are watched, of all cores that meet in
-- this Redis: judges who has come first and gone last, and tells it, in one step. Reasons:
-- docs/decisions/0014. A holder is a core; what it holds lives as long as it says so.
--   KEYS: 1 holders of the partition (sorted set; score = end of the lease), 2 what the holder has
--     (set), 3 members of the channel (hash), 4 their sessions in order (sorted set), 5 sessions of
--     each user (hash; "d": digest), 6 holders that watch the channel (set), 7 there while not all
--     have entered again
--   ARGV: 1 operation, 2 holder, 3 lease, 4 how long Redis keeps what nobody renews, 5 PUBLISH or
--     SPUBLISH, 6 where, 7 channel, 8 mark (or empty), then what the operation wants
-- Times are milliseconds.
local call = redis.call
local HOLDERS, HELD, MEMBERS, ORDER, USERS, WATCHERS, QUIET = unpack(KEYS)
local operation, holder, lease, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local publish, told_on, channel, mark = ARGV[5], ARGV[6], ARGV[7], ARGV[8]

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function whole(number) return string.format('%.0f', number) end

local told = {}
if mark ~= '' then told[1] = 'm' .. mark .. '\n' end
local function tell(what, session, user, data)
  told[#told + 1] = what .. #session .. ' ' .. #user .. ' ' .. #data .. '\n' .. session .. user .. data
end
local function finish(reply)
  if #told > 0 then call(publish, told_on, 'p' .. table.concat(told)) end
  return reply
end

local function held_as(what, session) return what .. #channel .. ':' .. channel .. session end
local function live()
  call('ZADD', HOLDERS, whole(now + lease), holder)
  call('PEXPIRE', HOLDERS, keep)
end
local function hold(as)
  live()
  call('SADD', HELD, as)
  call('PEXPIRE', HELD, keep)
end
-- Of a holder whose lease is over anybody may end what it has; of one that came back, nobody else.
local function over()
  local ends = call('ZSCORE', HOLDERS, holder)
  return not ends or tonumber(ends) <= now
end

-- A member: "holder digest-key user-size user data".
local function member_of(session)
  local text = call('HGET', MEMBERS, session)
  if not text then return nil end
  local by, key, size, rest = string.match(text, '^(%x+) (%x+) (%d+) (.*)$')
  size = tonumber(size)
  return { holder = by, key = key, user = string.sub(rest, 1, size),
           data = string.sub(rest, size + 1) }
end
local function user_field(session, user)
  if user == '' then return 's' .. session end
  return 'u' .. user
end
local function flip(key)
  local was = call('HGET', USERS, 'd') or '0000000000000000'
  local function half(from, to)
    return bit.tohex(bit.bxor(tonumber(string.sub(was, from, to), 16),
                              tonumber(string.sub(key, from, to), 16)))
  end
  call('HSET', USERS, 'd', half(1, 8) .. half(9, 16))
end

local function remove(session, member)
  call('HDEL', MEMBERS, session)
  call('ZREM', ORDER, session)
  local field = user_field(session, member.user)
  if call('HINCRBY', USERS, field, -1) <= 0 then
    call('HDEL', USERS, field)
    flip(member.key)
    tell('l', session, member.user, member.data)
  end
  if call('ZCARD', ORDER) == 0 then call('DEL', MEMBERS, ORDER, USERS) end
end

local function enter(session, user, data, key, again)
  hold(held_as('p', session))
  local before = member_of(session)
  if before and before.user ~= user then
    remove(session, before)
    before = nil
  end
  call('HSET', MEMBERS, session, holder .. ' ' .. key .. ' ' .. #user .. ' ' .. user .. data)
  if not before then
    call('ZADD', ORDER, 0, session)
    if call('HINCRBY', USERS, user_field(session, user), 1) == 1 then
      flip(key)
      if not again then tell('j', session, user, data) end
    end
  end
  for i = 3, 5 do call('PEXPIRE', KEYS[i], keep) end
end

local function leave(session)
  call('SREM', HELD, held_as('p', session))
  local member = member_of(session)
  if member and member.holder == holder then remove(session, member) end
end

local function page(after, limit, bytes)
  local reply, size, more = {}, 0, '0'
  local from = after == '' and '-' or '(' .. after
  local sessions = limit > 0
    and call('ZRANGEBYLEX', ORDER, from, '+', 'LIMIT', 0, limit + 1) or {}
  for i, session in ipairs(sessions) do
    local member = i <= limit and member_of(session) or nil
    if member then size = size + #session + #member.user + #member.data end
    if not member or (i > 1 and size > bytes) then
      more = '1'
      break
    end
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = session, member.user, member.data
  end
  local users = call('HLEN', USERS)
  local counts = { whole(call('ZCARD', ORDER)), whole(users > 0 and users - 1 or 0),
    call('HGET', USERS, 'd') or '0', whole(1 - call('EXISTS', QUIET)), more }
  for _, text in ipairs(reply) do counts[#counts + 1] = text end
  return counts
end

if operation == 'enter' then
  local again = ARGV[13] == '1'
  if again then call('SET', QUIET, 1, 'PX', whole(lease / 2), 'NX') end
  enter(ARGV[9], ARGV[10], ARGV[11], ARGV[12], again)
  return finish('done')
elseif operation == 'leave' then
  if ARGV[10] == '1' and not over() then return 'done' end
  leave(ARGV[9])
  return finish('done')
elseif operation == 'page' then
  return finish(page(ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])))
elseif operation == 'occupy' then
  hold(held_as('w', ''))
  local first = call('SCARD', WATCHERS) == 0
  call('SADD', WATCHERS, holder)
  call('PEXPIRE', WATCHERS, keep)
  return first and 'occupied' or 'as before'
elseif operation == 'vacate' then
  if ARGV[9] == '1' and not over() then return 'as before' end
  call('SREM', HELD, held_as('w', ''))
  local last = call('SREM', WATCHERS, holder) == 1 and call('SCARD', WATCHERS) == 0
  return last and 'vacated' or 'as before'
elseif operation == 'occupied' then
  return call('SCARD', WATCHERS) > 0 and 'occupied' or 'vacated'
elseif operation == 'renew' then
  for i = 3, 6 do call('PEXPIRE', KEYS[i], keep) end
  return 'done'
elseif operation == 'beat' then
  -- How much the holder has here, whether all are there, and whose lease is over.
  if holder ~= '' then
    live()
    call('PEXPIRE', HELD, keep)
  end
  local reply = { whole(holder ~= '' and call('SCARD', HELD) or 0), whole(call('EXISTS', QUIET)) }
  for _, dead in ipairs(call('ZRANGEBYSCORE', HOLDERS, '-inf', whole(now), 'LIMIT', 0, 16)) do
    reply[#reply + 1] = dead
  end
  return reply
elseif operation == 'end' then
  call('ZADD', HOLDERS, 0, holder)
  call('PEXPIRE', HOLDERS, keep)
  return 'done'
elseif operation == 'left' then
  -- Some of what a holder whose lease is over still has; nothing: it is forgotten.
  if not over() then return {} end
  local some = call('SRANDMEMBER', HELD, tonumber(ARGV[9]))
  if #some == 0 then call('ZREM', HOLDERS, holder) end
  return some
end
return redis.error_reply('ERR no such operation: ' .. operation)
