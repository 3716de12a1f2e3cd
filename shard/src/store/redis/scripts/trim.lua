-- Moves the start of a log, never back, and drops the entries that lie wholly before it.
-- KEYS: metadata, log. ARGV: epoch, session, new start, the lowest id that is kept.
local held, refusal = enter(false)
if refusal then return refusal end
if tonumber(held.start) >= tonumber(ARGV[3]) then return {'before'} end
if tonumber(held.log_end) < tonumber(ARGV[3]) then return {'elsewhere', held.log_end} end
redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[4])
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
redis.call('HSET', KEYS[1], 'start', ARGV[3], 'start_position', first and first[2][2] or held.position,
  'entries', tostring(redis.call('XLEN', KEYS[2])))
return {'done'}
