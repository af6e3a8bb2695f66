-- Let leases run out: what is held is free, and used where something had been
-- sent. ARGV: 2 the host that asks, which is alive, 3 '1': tell the hosts. The
-- answer: how many ran out, how many were charged, these as they were; then
-- hosts, and when they were seen.
local ids = call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now), 'LIMIT', 0, 64)
local over, charged = {}, {}
for _, id in ipairs(ids) do
	local lease = call('GET', P .. 'l:' .. id)
	local o = { id = id }
	if lease then
		o.lease = parse(lease)
		end_lease(o.lease, o.lease.sent)
		if o.lease.sent then
			charged[#charged + 1] = o.lease.text
		end
	end
	over[#over + 1] = o
end
for _, o in ipairs(over) do
	call('ZREM', KEYS[2], o.id)
	call('DEL', P .. 'l:' .. o.id)
	if o.lease and o.lease.sent then
		call('SET', P .. 'd:' .. o.id, o.lease.text, 'PX', DONE_KEEP)
	end
end
flush()
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
