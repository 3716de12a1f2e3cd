-- Lets a log from which Redis has lost messages go on behind them, so that no offset is used twice. Readers are told
-- which are lost.
-- KEYS: metadata, log, cursors. ARGV: epoch, session, the offset to go on at.
local refusal = enter()
if refusal then return refusal end
local log_end = redis.call('HGET', KEYS[1], 'end')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local entries_end = last and ends(last) or redis.call('HGET', KEYS[1], 'start')
local highest = math.max(tonumber(log_end), tonumber(entries_end))
-- A stream takes no id below the highest that it has had, though the entry be gone.
local stream = redis.call('XINFO', 'STREAM', KEYS[2])
for at = 1, #stream, 2 do
  if stream[at] == 'last-generated-id' then
    highest = math.max(highest, tonumber(string.match(stream[at + 1], '^%d+')))
  end
end
if highest > tonumber(ARGV[3]) then return {'elsewhere', string.format('%.0f', highest)} end
redis.call('HSET', KEYS[1], 'end', ARGV[3], 'lost_from', entries_end, 'lost_to', ARGV[3],
  'cursor_entries', tostring(redis.call('LLEN', KEYS[3])))
return {'done'}
