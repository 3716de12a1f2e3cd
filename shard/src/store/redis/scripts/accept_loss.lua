-- Lets a log from which Redis has lost messages go on behind them, so that no offset is used twice. Readers are told
-- which are lost.
-- KEYS: metadata, log, cursors. ARGV: epoch, session, the offset to go on at.
local held, refusal = enter(false)
if refusal then return refusal end
if tonumber(held.log_end) > tonumber(ARGV[3]) then return {'elsewhere', held.log_end} end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local log_end = last and string.match(last[1], '^%d+') or held.start
-- A stream takes no id below the highest that it has had, though the entry be gone.
if redis.call('EXISTS', KEYS[2]) == 1 then
  local stream = redis.call('XINFO', 'STREAM', KEYS[2])
  for at = 1, #stream, 2 do
    local highest = stream[at] == 'last-generated-id' and string.match(stream[at + 1], '^%d+')
    if highest and tonumber(highest) > tonumber(ARGV[3]) then return {'elsewhere', highest} end
  end
end
redis.call('HSET', KEYS[1], 'end', ARGV[3], 'lost_from', log_end, 'lost_to', ARGV[3],
  'entries', tostring(redis.call('XLEN', KEYS[2])), 'cursor_entries', tostring(redis.call('LLEN', KEYS[3])))
return {'done'}
