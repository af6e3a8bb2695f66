-- Let leases run out: what is held is free, and used where something had been
-- sent. ARGV: 2 the host that asks, which is alive, 3 '1': tell the hosts. The
-- answer: how many ran out, how many were charged, these as they were; then
-- hosts, and when they were seen.
local ids = call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now), 'LIMIT', 0, 64)
local over, charged = {}, {}
for _, id in ipairs(ids) do
	local key = P .. 'l:' .. id
	local lease, o = call('GET', key), { id = id }
	if lease then
		-- One that was marked later has a far end instead of the 's'.
		local sent = string.sub(lease, 1, 1) == 's' or
			call('PTTL', key) >= 0
		end_lease(parse(lease), sent)
		if sent then
			o.charge = string.sub(lease, 2)
			charged[#charged + 1] = o.charge
		end
	end
	over[#over + 1] = o
end
for _, o in ipairs(over) do
	call('ZREM', KEYS[2], o.id)
	call('DEL', P .. 'l:' .. o.id)
	if o.charge then
		call('SET', P .. 'd:' .. o.id, o.charge, 'PX', DONE_KEEP)
	end
end
flush()
flush_rows()
call('HSET', P .. 'hosts', ARGV[2], text(now))
local answer = { 'OK', epoch, text(now), text(#ids), text(#charged) }
for _, lease in ipairs(charged) do
	answer[#answer + 1] = lease
end
if ARGV[3] == '1' then
	for _, v in ipairs(call('HGETALL', P .. 'hosts')) do
		answer[#answer + 1] = v
	end
end
return answer
