-- ARGV: 2 kind, 3 name.
local c = counter(ARGV[3], ARGV[2])
return { 'OK', epoch, text(now), text(c.used), text(c.held) }
