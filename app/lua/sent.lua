-- KEYS[3] the lease; ARGV: 2 id, 3 lease in µs, 0: it stays as long as it is.
if call('EXISTS', KEYS[3]) == 0 then
	return { 'GONE', epoch, text(now) }
end
call('SETRANGE', KEYS[3], 0, 's')
if ARGV[3] ~= '0' then
	call('ZADD', KEYS[2], 'XX', text(now + tonumber(ARGV[3])), ARGV[2])
end
return { 'OK', epoch, text(now) }
