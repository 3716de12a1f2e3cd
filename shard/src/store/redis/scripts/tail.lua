-- Tells whether the sender still owns the partition, and the id of the log's last entry.
-- KEYS: metadata, log. ARGV: epoch, session, and `touch` if Redis is to write something, so that a WAIT behind it covers
-- what an earlier try wrote over another connection.
local refusal = enter()
if refusal then return refusal end
if redis.call('EXISTS', KEYS[2]) == 0 then return {'missing'} end
if ARGV[3] == 'touch' then redis.call('HSET', KEYS[1], 'session', ARGV[2]) end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return {'tail', last and last[1] or ''}
