-- Appends entries to the cursor journal, or puts them in the place of all that is there.
-- KEYS: metadata, cursors. ARGV: epoch, session, number of this write, number of the next, `append` or `replace`, entries.
local held, refusal = enter(false)
if refusal then return refusal end
if held.cursor_sequence ~= ARGV[3] then
  -- Only this session writes, and one write at a time: the number after this one means that this one was applied.
  if held.cursor_sequence == ARGV[4] then
    -- Written again, as in the script that appends to the log.
    redis.call('HSET', KEYS[1], 'session', ARGV[2])
    return {'before'}
  end
  return {'elsewhere', held.cursor_sequence}
end
local entries = redis.call('LLEN', KEYS[2])
if entries ~= tonumber(held.cursor_entries) then return {'incomplete', held.cursor_entries, tostring(entries)} end
if ARGV[5] == 'replace' then
  -- Redis refuses this one if it is out of memory, and would not refuse to delete.
  redis.call('HSET', KEYS[1], 'session', ARGV[2])
  redis.call('UNLINK', KEYS[2])
end
for at = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[at]) end
redis.call('HSET', KEYS[1], 'cursor_sequence', ARGV[4], 'cursor_entries', tostring(redis.call('LLEN', KEYS[2])))
return {'done'}
