-- The scripts of an owner begin with this. KEYS[1] is the partition's metadata, ARGV[1] the sender's leader epoch, ARGV[2]
-- its session: a random number drawn each time a partition is opened.
--
-- Only the session that opened the partition last goes on. What an earlier owner sent, or this one before it opened the
-- partition anew, has no effect, however late Redis gets to it.
local function enter()
  local held = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'session')
  -- With an older epoch, Redis has lost that the sender opened it.
  if not held[1] or tonumber(held[2]) < tonumber(ARGV[1]) then return {'missing'} end
  if held[1] ~= '1' then return {'version', held[1]} end
  if held[3] ~= ARGV[2] then return {'fenced', held[2]} end
  return nil
end

-- The offset at which an entry's batch ends, and how many bytes were ever appended by then.
local function ends(entry)
  return string.match(entry[1], '^%d+'), string.format('%.0f', tonumber(entry[2][2]) + #entry[2][4])
end

