-- Appends an entry to the cursor journal, or puts it in the place of all that is there.
-- KEYS: metadata, cursors. ARGV: epoch, session, number of this write, number of the next, `append` or `replace`, entries.
local refusal = enter()
if refusal then return refusal end
local held = redis.call('HMGET', KEYS[1], 'cursor_sequence', 'cursor_entries')
if held[1] ~= ARGV[3] then
  -- Only this session writes, and one write at a time: the number after this one means that this one was applied.
  if held[1] ~= ARGV[4] then return {'elsewhere', held[1]} end
  -- Written again, so that a WAIT behind this covers what the earlier try wrote over another connection.
  redis.call('HSET', KEYS[1], 'session', ARGV[2])
  return {'before'}
end
local entries = redis.call('LLEN', KEYS[2])
if entries ~= tonumber(held[2]) then return {'incomplete', held[2], tostring(entries)} end
if ARGV[5] == 'replace' then
  -- Redis refuses this one if it is out of memory, and would not refuse to delete.
  redis.call('HSET', KEYS[1], 'session', ARGV[2])
  redis.call('UNLINK', KEYS[2])
end
for at = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[at]) end
redis.call('HSET', KEYS[1], 'cursor_sequence', ARGV[4], 'cursor_entries', tostring(redis.call('LLEN', KEYS[2])))
return {'done'}
