-- Lets a log from which Redis has lost messages go on behind them, so that no offset is used twice. Readers are told
-- which are lost.
-- KEYS: metadata, log, cursors. ARGV: epoch, session, the offset to go on at.
local held, refusal = enter(false)
if refusal then return refusal end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local log_end = last and string.match(last[1], '^%d+') or held.start
if tonumber(held.log_end) > tonumber(ARGV[3]) then return {'elsewhere', held.log_end} end
redis.call('HSET', KEYS[1], 'end', ARGV[3], 'lost_from', log_end, 'lost_to', ARGV[3],
  'entries', tostring(redis.call('XLEN', KEYS[2])), 'cursor_entries', tostring(redis.call('LLEN', KEYS[3])))
return {'done'}
