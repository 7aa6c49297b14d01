/**
 * What must be one step in Redis (7 or newer, or Valkey). Keys, all below KEYS[1]:
 *
 *   cameras        hash: id -> "version enabled rate json", the rate in frames per 1,000 s
 *   free           sorted set by rate: enabled cameras without a lease
 *   leases         hash: id -> "session token rate"
 *   live           hash: id -> "time json", of leased cameras only
 *   seen           sorted set: session -> when its last beat came
 *   agent:SESSION  hash: the profile, what it holds (cameras, rate), the revision of its leases
 *   held:SESSION   hash: id -> token
 *   clock          hash: run, now, epoch, claims (nothing is handed out before)
 *   changes        counter of versions and revisions
 *
 * A camera is in `free` or in `leases`, or it is disabled. A lease outlives a change of its camera,
 * and even its removal, until the owner gives it back or its session ends: only then it is sure
 * that nobody runs the camera.
 */
const NAMES = `
local function key(name) return KEYS[1] .. name end
local function text(number) return string.format('%.0f', number) end
`;

const KEEPING = `#!lua flags=allow-oom${NAMES}
local function next_change() return redis.call('INCR', key('changes')) end

local function touch(session)
  redis.call('HSET', key('agent:' .. session), 'revision', next_change())
end

local function offer(id)
  local camera = redis.call('HGET', key('cameras'), id)
  if not camera then return end
  local enabled, rate = string.match(camera, '^%d+ (%d) (%d+) ')
  if enabled == '1' then redis.call('ZADD', key('free'), rate, id) end
end

local function end_lease(session, id)
  local rate = string.match(redis.call('HGET', key('leases'), id), '(%d+)$')
  redis.call('HDEL', key('leases'), id)
  redis.call('HDEL', key('live'), id)
  redis.call('HDEL', key('held:' .. session), id)
  redis.call('HINCRBY', key('agent:' .. session), 'cameras', -1)
  redis.call('HINCRBY', key('agent:' .. session), 'rate', '-' .. rate)
  offer(id)
end

local function end_session(session)
  for _, id in ipairs(redis.call('HKEYS', key('held:' .. session))) do end_lease(session, id) end
  redis.call('DEL', key('agent:' .. session), key('held:' .. session))
  redis.call('ZREM', key('seen'), session)
end
`;

/**
 * `tick(epoch, lease, silence)`: time, and what happened to it. Time of day may be set; so a jump,
 * or a silence of which it cannot be told from one, gives every session a full term. Another run of
 * the server does as well, and as the last second may be missing in its files, cameras may have
 * owners that it knows nothing of: it hands out none before those have stopped by themselves.
 */
const TICKING = `
local function tick(reading, lease, silence)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local last = redis.call('HMGET', key('clock'), 'run', 'now', 'epoch', 'claims')
  local last_now = tonumber(last[2]) or now
  local claims = tonumber(last[4]) or 0
  local is_recovering = last_now < claims
  local is_other_run = last[1] and last[1] ~= run
  -- No number may come to mean something else than in the second that was lost.
  if is_other_run then redis.call('INCRBY', key('changes'), 10000) end
  if is_other_run or now < last_now or now - last_now > silence then
    local sessions = redis.call('ZRANGE', key('seen'), 0, -1)
    for _, session in ipairs(sessions) do redis.call('ZADD', key('seen'), text(now), session) end
    claims = (is_recovering or (is_other_run and #sessions > 0)) and now + lease or 0
  end
  local epoch = math.max(now, (tonumber(last[3]) or 0) + 1, reading)
  redis.call('HSET', key('clock'), 'run', run, 'now', text(now), 'epoch', text(epoch),
    'claims', text(claims))
  return now, epoch, claims
end
`;

/** `agents_at(now)`: session, id, age of the last beat, limits and what it holds, of each. */
const READING = `
local function agents_at(now)
  local seen, agents = redis.call('ZRANGE', key('seen'), 0, -1, 'WITHSCORES'), {}
  for index = 1, #seen, 2 do
    local session, age = seen[index], text(now - tonumber(seen[index + 1]))
    local agent = redis.call('HMGET', key('agent:' .. session),
      'id', 'most-cameras', 'most-rate', 'cameras', 'rate')
    table.insert(agents, {session, agent[1], age, agent[2], agent[3], agent[4], agent[5]})
  end
  return agents
end
`;

/** id, json, rate, enabled, expected version or '', most cameras -> what, version */
export const PUT = `${KEEPING}
local id, json, rate, enabled, expected, most = unpack(ARGV)
local old = redis.call('HGET', key('cameras'), id)
local version = old and string.match(old, '^%d+') or '0'
if expected ~= '' and expected ~= version then return {'conflict', version} end
local rest = enabled .. ' ' .. rate .. ' ' .. json
if old == version .. ' ' .. rest then return {'stored', version} end
if not old and redis.call('HLEN', key('cameras')) >= tonumber(most) then return {'full', '0'} end
version = next_change()
redis.call('HSET', key('cameras'), id, version .. ' ' .. rest)
local lease = redis.call('HGET', key('leases'), id)
if lease then
  local session, token, old_rate = string.match(lease, '^(%d+) (%d+) (%d+)$')
  redis.call('HINCRBY', key('agent:' .. session), 'rate', rate - old_rate)
  redis.call('HSET', key('leases'), id, session .. ' ' .. token .. ' ' .. rate)
  touch(session)
else
  redis.call('ZREM', key('free'), id)
  offer(id)
end
return {'stored', tostring(version)}
`;

/** id, expected version or '' -> what, version */
export const REMOVE = `${KEEPING}
local id, expected = unpack(ARGV)
local old = redis.call('HGET', key('cameras'), id)
local version = old and string.match(old, '^%d+') or '0'
if expected ~= '' and expected ~= version then return {'conflict', version} end
if not old then return {'missing', '0'} end
redis.call('HDEL', key('cameras'), id)
redis.call('ZREM', key('free'), id)
local lease = redis.call('HGET', key('leases'), id)
if lease then touch(string.match(lease, '^%d+')) end
return {'removed', version}
`;

/** epoch, lease, silence, agent id, most cameras, most rate -> session, epoch */
export const JOIN = `${KEEPING}${TICKING}
local now, epoch = tick(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
local session = text(epoch)
redis.call('HSET', key('agent:' .. session), 'id', ARGV[4], 'most-cameras', ARGV[5],
  'most-rate', ARGV[6], 'cameras', 0, 'rate', 0, 'revision', next_change())
redis.call('ZADD', key('seen'), text(now), session)
return {session, text(epoch)}
`;

/** epoch, lease, silence, session */
export const LEAVE = `${KEEPING}${TICKING}
tick(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
if redis.call('ZSCORE', key('seen'), ARGV[4]) then end_session(ARGV[4]) end
`;

/**
 * epoch, lease, silence, session, revision, share, gives, live
 * -> epoch, revision, leases (id, token, camera ...) or nil, recovering, free cameras, least rate,
 *    agents
 */
export const BEAT = `${KEEPING}${TICKING}${READING}
local now, epoch, claims = tick(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
local session, known = ARGV[4], ARGV[5]
if not redis.call('ZSCORE', key('seen'), session) then return {text(epoch)} end
redis.call('ZADD', key('seen'), text(now), session)
local ended = '(' .. text(now - tonumber(ARGV[2]))
for _, dead in ipairs(redis.call('ZRANGE', key('seen'), '-inf', ended, 'BYSCORE')) do
  end_session(dead)
end

local agent, held = key('agent:' .. session), key('held:' .. session)
for _, give in ipairs(cjson.decode(ARGV[7])) do
  if redis.call('HGET', held, give[1]) == give[2] then
    end_lease(session, give[1])
    touch(session)
  end
end
for _, one in ipairs(cjson.decode(ARGV[8])) do
  if redis.call('HEXISTS', held, one[1]) == 1 then
    redis.call('HSET', key('live'), one[1], text(now) .. ' ' .. one[2])
  end
end

-- From both ends in turn, or one agent would have the cameras of high rates, and one the others.
local function next_free(room, is_largest)
  if is_largest then
    return redis.call('ZRANGE', key('free'), room, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1,
      'WITHSCORES')
  end
  return redis.call('ZRANGE', key('free'), '-inf', room, 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
end
local limits = redis.call('HMGET', agent, 'most-cameras', 'most-rate', 'cameras', 'rate')
local cameras, rate = tonumber(limits[3]), tonumber(limits[4])
local most = math.min(tonumber(ARGV[6]), tonumber(limits[1]))
local has_taken = false
while cameras < most and now >= claims do
  local found = next_free(text(tonumber(limits[2]) - rate), cameras % 2 == 0)
  if not found[1] then break end
  redis.call('ZREM', key('free'), found[1])
  redis.call('HSET', key('leases'), found[1], session .. ' ' .. text(epoch) .. ' ' .. found[2])
  redis.call('HSET', held, found[1], text(epoch))
  cameras, rate, has_taken = cameras + 1, rate + tonumber(found[2]), true
end
if has_taken then
  redis.call('HSET', agent, 'cameras', cameras, 'rate', text(rate))
  touch(session)
end

local revision, leases = redis.call('HGET', agent, 'revision'), false
if revision ~= known then
  leases = {}
  local pairs_held = redis.call('HGETALL', held)
  for index = 1, #pairs_held, 2 do
    table.insert(leases, pairs_held[index])
    table.insert(leases, pairs_held[index + 1])
    table.insert(leases, redis.call('HGET', key('cameras'), pairs_held[index]) or '')
  end
end
local agents = agents_at(now)
local least = redis.call('ZRANGE', key('free'), 0, 0, 'WITHSCORES')
return {text(epoch), revision, leases, now < claims and 1 or 0,
  redis.call('ZCARD', key('free')), least[2] or '0', agents}
`;

/** id -> what `cameras` has of it */
export const GET = `#!lua flags=no-writes
return redis.call('HGET', KEYS[1] .. 'cameras', ARGV[1])
`;

/** -> time, cameras, leases, live (each: name, value ...), agents */
export const LIST = `#!lua flags=no-writes${NAMES}${READING}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {
  text(now), redis.call('HGETALL', key('cameras')), redis.call('HGETALL', key('leases')),
  redis.call('HGETALL', key('live')), agents_at(now),
}
`;
