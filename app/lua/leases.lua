-- Who holds how much: who and cost of up to 5,000 leases.
local answer = { 'OK', epoch, text(now) }
for _, id in ipairs(call('ZRANGE', KEYS[2], 0, 4999)) do
	local lease = call('GET', P .. 'l:' .. id)
	if lease then
		local l = parse(lease)
		answer[#answer + 1] = l.who
		answer[#answer + 1] = l.cost
	end
end
return answer
