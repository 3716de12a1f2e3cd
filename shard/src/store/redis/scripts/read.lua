-- Reads whole batches of a log: at least one, and no more bytes than asked for after that.
-- KEYS: log. ARGV: the lowest id, bytes at most.
--
-- XRANGE has no limit in bytes, so entries are fetched singly until they are known to be small.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
local page, from, left, count = {'page'}, ARGV[1], tonumber(ARGV[2]), 1
while true do
  local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', count)
  local largest = 0
  for _, entry in ipairs(entries) do
    local batch = entry[2][4]
    if #page > 1 and #batch > left then return page end
    left = left - #batch
    largest = math.max(largest, #batch)
    page[#page + 1] = entry[1]
    page[#page + 1] = batch
  end
  if #entries < count or left <= 0 or #page > 4000 then return page end
  from = '(' .. entries[#entries][1]
  count = largest < 65536 and 16 or 1
end
