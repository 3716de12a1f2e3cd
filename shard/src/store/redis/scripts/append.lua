-- Appends whole batches to a log, all of them or none.
-- KEYS: metadata, log. ARGV: epoch, session, end before, end after, position after, then id, position and bytes of each.
local held, refusal = enter(false)
if refusal then return refusal end
local entries = redis.call('XLEN', KEYS[2])
if entries ~= tonumber(held.entries) then return {'incomplete', held.entries, tostring(entries)} end
if held.log_end ~= ARGV[3] then
  -- An earlier try may have been applied and its answer lost: then these very bytes are there.
  for at = 6, #ARGV, 3 do
    local there = redis.call('XRANGE', KEYS[2], ARGV[at], ARGV[at])[1]
    if not there or there[2][4] ~= ARGV[at + 2] then return {'elsewhere', held.log_end} end
  end
  -- Written again, so that a WAIT behind this covers what the earlier try wrote over another connection.
  redis.call('HSET', KEYS[1], 'session', ARGV[2])
  return {'before'}
end
for at = 6, #ARGV, 3 do
  redis.call('XADD', KEYS[2], ARGV[at], 'position', ARGV[at + 1], 'batch', ARGV[at + 2])
end
redis.call('HSET', KEYS[1], 'end', ARGV[4], 'position', ARGV[5], 'entries', tostring(entries + (#ARGV - 5) / 3))
return {'done'}
