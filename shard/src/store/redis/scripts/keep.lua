-- Copies the next entries of a log that are kept when it is cut; `before` when nothing is left to copy.
--
-- A stream never takes an id below one that it has had, also if that was deleted: a log is cut by making a new stream.
-- KEYS: metadata, log, kept. ARGV: epoch, session, the highest id that is kept, entries at most, and `first` for the
-- first of these requests, which drops what an earlier cut left behind.
local refusal = enter()
if refusal then return refusal end
if ARGV[5] == 'first' then redis.call('UNLINK', KEYS[3]) end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local from = last and '(' .. last[1] or '-'
local entries = redis.call('XRANGE', KEYS[2], from, ARGV[3], 'COUNT', ARGV[4])
for _, entry in ipairs(entries) do
  redis.call('XADD', KEYS[3], entry[1], unpack(entry[2]))
end
return {#entries > 0 and 'done' or 'before'}
