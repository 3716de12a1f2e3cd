-- Puts the part of a log that is kept in its place.
-- KEYS: metadata, log, kept. ARGV: epoch, session, the session after it, the offset at which the log is cut.
--
-- The session ends with it: a second copy of this request that comes late would find nothing kept, and take that for
-- an empty log.
if redis.call('HGET', KEYS[1], 'session') == ARGV[3] then return {'before'} end
local held, refusal = enter(false)
if refusal then return refusal end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local more = redis.call('XRANGE', KEYS[2], last and '(' .. last[1] or '-', ARGV[4], 'COUNT', 1)
if #more > 0 then
  return {'incomplete', tostring(redis.call('XLEN', KEYS[2])), tostring(redis.call('XLEN', KEYS[3]))}
end
local log_end = held.start
local position = redis.call('HGET', KEYS[1], 'start_position')
if last then
  log_end = string.match(last[1], '^%d+')
  position = string.format('%.0f', tonumber(last[2][2]) + #last[2][4])
  redis.call('RENAME', KEYS[3], KEYS[2])
else
  redis.call('UNLINK', KEYS[2])
end
redis.call('HSET', KEYS[1], 'session', ARGV[3], 'end', log_end, 'position', position,
  'entries', tostring(redis.call('XLEN', KEYS[2])))
return {'done'}
