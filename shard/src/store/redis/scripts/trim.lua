-- Moves the start of a log, never back, and drops the entries that lie wholly before it.
-- KEYS: metadata, log. ARGV: epoch, session, new start, the lowest id that is kept.
local refusal = enter()
if refusal then return refusal end
if tonumber(redis.call('HGET', KEYS[1], 'start')) >= tonumber(ARGV[3]) then return {'before'} end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[4])
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local log_end, position = redis.call('HGET', KEYS[1], 'end'), redis.call('HGET', KEYS[1], 'start_position')
if last then log_end, position = ends(last) end
redis.call('HSET', KEYS[1], 'start', ARGV[3], 'end', log_end, 'start_position', first and first[2][2] or position)
return {'done'}
