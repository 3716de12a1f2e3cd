-- Makes the sender the partition's owner and tells what is there; a partition that is not there is made, empty.
-- KEYS: metadata, log, cursors. ARGV: epoch, session.
local held, refusal = enter(true)
if refusal and refusal[1] == 'missing' and redis.call('EXISTS', KEYS[2], KEYS[3]) == 0 then
  redis.call('HSET', KEYS[1], 'version', '1', 'epoch', ARGV[1], 'session', ARGV[2], 'start', '0', 'end', '0',
    'position', '0', 'start_position', '0', 'entries', '0', 'cursor_sequence', '0', 'cursor_entries', '0')
  held, refusal = enter(true)
end
if refusal then return refusal end
local more = redis.call('HMGET', KEYS[1], 'start_position', 'lost_to')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return {'opened', held.start, held.log_end, held.position, more[1], held.entries,
  tostring(redis.call('XLEN', KEYS[2])), held.cursor_sequence, held.cursor_entries,
  tostring(redis.call('LLEN', KEYS[3])), more[2] or '0', last and last[1] or ''}
