-- Makes the sender the partition's owner and tells what is there; a partition that is not there is made, empty.
--
-- The log's key ends with the session. Opening renames it, and appends go to a key that exists or nowhere: a plain
-- XADD of an earlier session finds no key, so that it need not ask who owns the partition.
--
-- KEYS: metadata, the log's key without the session, cursors. ARGV: epoch, session, the turn that was read before, `mend`
-- if a log that is gone is to be made anew, empty, and the first offset of a log that never was. `turn` counts the openings: a second copy of this request that
-- comes after a later opening is too late.
local held = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'session', 'turn')
local log = KEYS[2] .. ARGV[2]
local function make_log()
  -- A stream can't be made without an entry.
  redis.call('XADD', log, '0-1', 'position', '0', 'batch', '')
  redis.call('XTRIM', log, 'MAXLEN', '=', '0')
end
if not held[1] then
  if redis.call('EXISTS', KEYS[3]) == 1 or ARGV[3] ~= '' then return {'missing'} end
  make_log()
  redis.call('HSET', KEYS[1], 'version', '1', 'epoch', ARGV[1], 'session', ARGV[2], 'turn', '1', 'start', ARGV[5], 'end', ARGV[5],
    'start_position', '0', 'cursor_sequence', '0', 'cursor_entries', '0', 'lost_to', '0')
elseif held[1] ~= '1' then
  return {'version', held[1]}
elseif tonumber(held[2]) > tonumber(ARGV[1]) then
  return {'fenced', held[2]}
elseif held[3] ~= ARGV[2] then
  if held[4] ~= ARGV[3] then return {'overtaken'} end
  if redis.call('EXISTS', KEYS[2] .. held[3]) == 1 then
    -- Redis refuses this one if it can't write, and would not refuse the next.
    redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'session', ARGV[2], 'turn', string.format('%.0f', held[4] + 1))
    redis.call('RENAME', KEYS[2] .. held[3], log)
  elseif ARGV[4] == 'mend' then
    make_log()
    redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'session', ARGV[2], 'turn', string.format('%.0f', held[4] + 1))
  else
    return {'missing'}
  end
end
local now = redis.call('HMGET', KEYS[1], 'start', 'end', 'start_position', 'cursor_sequence', 'cursor_entries', 'lost_to')
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local position = now[3]
if last then
  local log_end
  log_end, position = ends(last)
  -- From here on it is known that the log went so far.
  if tonumber(log_end) > tonumber(now[2]) then redis.call('HSET', KEYS[1], 'end', log_end) end
end
local highest
local stream = redis.call('XINFO', 'STREAM', log)
for at = 1, #stream, 2 do
  if stream[at] == 'last-generated-id' then highest = stream[at + 1] end
end
return {'opened', now[1], now[2], now[6], now[3], position, now[4], now[5],
  tostring(redis.call('LLEN', KEYS[3])), highest, last and last[1] or ''}
