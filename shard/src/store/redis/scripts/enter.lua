-- Every script that writes begins with this. KEYS[1] is the partition's metadata, ARGV[1] the sender's leader epoch,
-- ARGV[2] its session: a random number drawn each time a partition is opened.
--
-- The sender goes on if its epoch is newer than the stored one, or if it is the same and so is the session. Nothing that
-- an earlier owner sent, or this one before it opened the partition anew, has any effect, however late it comes.
--
-- A command that Redis can refuse (out of memory, read only, no permission) comes before all that it can't: a script
-- writes everything or nothing.
local function enter(opens)
  local fields = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'session', 'start', 'end', 'position', 'entries',
    'cursor_sequence', 'cursor_entries')
  if not fields[1] then return nil, {'missing'} end
  if fields[1] ~= '1' then return nil, {'version', fields[1]} end
  local stored, sent = tonumber(fields[2]), tonumber(ARGV[1])
  if stored > sent or (stored == sent and fields[3] ~= ARGV[2] and not opens) then
    return nil, {'fenced', fields[2]}
  end
  if stored ~= sent or fields[3] ~= ARGV[2] then
    redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'session', ARGV[2])
  end
  return {start = fields[4], log_end = fields[5], position = fields[6], entries = fields[7],
    cursor_sequence = fields[8], cursor_entries = fields[9]}
end

