-- Tells the id of the entry that holds an offset, how many bytes of the log lie before it and how many it has; nothing if
-- there is none.
-- KEYS: log. ARGV: the lowest id.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 1)[1]
return entry and {entry[1], entry[2][2], tostring(#entry[2][4])} or {}
