-- Let leases run out; the answer tells how many did.
local n = due(64)
flush_due()
flush()
return { 'OK', epoch, text(now), text(n) }
