-- Deletes a partition. What comes late for it finds no metadata, and makes none.
-- KEYS: metadata, log, cursors, kept. ARGV: epoch, session.
local _, refusal = enter(true)
if refusal and refusal[1] ~= 'missing' then return refusal end
redis.call('UNLINK', unpack(KEYS))
return {refusal and 'before' or 'done'}
