-- KEYS[3] the lease, KEYS[4] the mark of its end; ARGV: 2 id, 3 's' settle or
-- 'r' release, 4 the number of parts that were used (money, tokens); of each
-- kind, actual, name, and when it may be forgotten (as in hold.lua); then rows:
-- who and its five numbers. LATE brings the charge that was taken back.
local settles, rows_at = ARGV[3] == 's', 5 + 4 * tonumber(ARGV[4])

local known = call('MGET', KEYS[4], KEYS[3])
local done, old = known[1], known[2]
if done == '' then
	return { 'TWICE', epoch, text(now) }
end

-- It was charged in full when its lease ran out: take that back, but tokens a
-- minute, which are past soon.
local tokens = {}
if done then
	local lease = parse('s' .. done)
	for _, p in ipairs(lease.parts) do
		if p.kind == MONEY then
			use(counter(p.name, p.kind), -p.amount)
		elseif p.kind == TPM then
			tokens[p.name] = (tokens[p.name] or 0) + p.amount
		end
	end
	row(lease.who, { '-1', '0', '0', '0',
		lease.cost == '0' and '0' or '-' .. lease.cost })
elseif old then
	end_lease(parse(old), false)
end

for at = 5, rows_at - 1, 4 do
	local kind, n, name = ARGV[at], int(ARGV[at + 1]), ARGV[at + 2]
	if kind == TPM then
		n = math.max(0, n - (tokens[name] or 0))
	end
	if n > 0 then
		local c = counter(name, kind)
		use(c, n)
		c.expire = ARGV[at + 3]
	end
end
for at = rows_at, #ARGV, 6 do
	row(ARGV[at], { ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4],
		ARGV[at + 5] })
end
-- What frees memory comes first: a server that is full lets it pass, and with
-- it all of this.
call('DEL', KEYS[3])
call('ZREM', KEYS[2], ARGV[2])
if settles or done then
	call('SET', KEYS[4], '', 'PX', DONE_KEEP)
end
flush()
flush_rows()
if done then
	return { 'LATE', epoch, text(now), done }
end
return { old and 'OK' or 'GONE', epoch, text(now) }
