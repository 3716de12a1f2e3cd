-- Reads entries of the cursor journal: at least one, and no more bytes than asked for after that.
-- KEYS: cursors. ARGV: index of the first, bytes at most.
local page, index, left, count = {}, tonumber(ARGV[1]), tonumber(ARGV[2]), 1
while true do
  local entries = redis.call('LRANGE', KEYS[1], index, index + count - 1)
  local largest = 0
  for _, entry in ipairs(entries) do
    if #page > 0 and #entry > left then return page end
    left = left - #entry
    largest = math.max(largest, #entry)
    page[#page + 1] = entry
  end
  if #entries < count or left <= 0 or #page > 4000 then return page end
  index = index + #entries
  count = largest < 65536 and 16 or 1
end
