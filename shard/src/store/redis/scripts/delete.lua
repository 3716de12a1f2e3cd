-- Deletes a partition. What comes late for it finds no key, and makes none.
-- KEYS: metadata, the log's key without the session, cursors, kept. ARGV: epoch.
local held = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'session')
if held[1] and held[1] ~= '1' then return {'version', held[1]} end
if held[1] and tonumber(held[2]) > tonumber(ARGV[1]) then return {'fenced', held[2]} end
redis.call('UNLINK', KEYS[1], KEYS[3], KEYS[4], KEYS[2] .. (held[3] or ''))
return {held[1] and 'done' or 'before'}
