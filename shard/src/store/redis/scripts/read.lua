-- Reads whole batches of a log: at least one, and no more bytes than asked for after that.
-- KEYS: metadata, log. ARGV: the lowest id, bytes at most.
--
-- XRANGE has no limit in bytes, so entries are fetched singly until they are known to be small.
local fields = redis.call('HMGET', KEYS[1], 'version', 'start', 'end')
if not fields[1] then return {'missing'} end
if fields[1] ~= '1' then return {'version', fields[1]} end
local page = {'page', fields[2], fields[3]}
local from, left, count = ARGV[1], tonumber(ARGV[2]), 1
while true do
  local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', count)
  local largest = 0
  for _, entry in ipairs(entries) do
    local batch = entry[2][4]
    if #page > 3 and #batch > left then return page end
    left = left - #batch
    largest = math.max(largest, #batch)
    page[#page + 1] = entry[1]
    page[#page + 1] = batch
  end
  if #entries < count or left <= 0 or #page > 4000 then return page end
  from = '(' .. entries[#entries][1]
  count = largest < 65536 and 16 or 1
end
