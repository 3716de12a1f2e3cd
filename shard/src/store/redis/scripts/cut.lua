-- Puts the part of a log that is kept in its place.
-- KEYS: metadata, log, kept, the log's key after it. ARGV: epoch, session, the session after it, the highest id that is
-- kept.
--
-- The session ends with it: a second copy of this request that comes late would find nothing kept, and take that for
-- an empty log.
if redis.call('HGET', KEYS[1], 'session') == ARGV[3] then return {'before'} end
local refusal = enter()
if refusal then return refusal end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local more = redis.call('XRANGE', KEYS[2], last and '(' .. last[1] or '-', ARGV[4], 'COUNT', 1)
if #more > 0 then
  return {'incomplete', tostring(redis.call('XLEN', KEYS[2])), tostring(redis.call('XLEN', KEYS[3]))}
end
local log_end = last and ends(last) or redis.call('HGET', KEYS[1], 'start')
redis.call('HSET', KEYS[1], 'session', ARGV[3], 'end', log_end)
if last then
  redis.call('RENAME', KEYS[3], KEYS[4])
else
  redis.call('XADD', KEYS[4], '0-1', 'position', '0', 'batch', '')
  redis.call('XTRIM', KEYS[4], 'MAXLEN', '=', '0')
end
redis.call('UNLINK', KEYS[2])
return {'done'}
