-- KEYS[3] the lease, KEYS[4] the mark of its end; ARGV: 2 id, 3 's' settle or
-- 'r' release, 4 the number of parts that were used, 5 that of rows; of each
-- part kind, actual, name, and when it may be forgotten (as in hold.lua); of
-- each row who and its five numbers. LATE brings the charge that was taken back.
local settles, at = ARGV[3] == 's', 6

local known = call('MGET', KEYS[4], KEYS[3])
local done, old = known[1], known[2]
if done == '' then
	return { 'TWICE', epoch, text(now) }
end

-- It was charged in full when its lease ran out: take that back, but what is of
-- a minute, which is past soon.
local charged = {}
if done then
	local lease = parse('s' .. done)
	for _, p in ipairs(lease.parts) do
		if p.kind == MONEY then
			use(counter(p.name, p.kind), -p.amount)
		elseif p.kind ~= PARALLEL then
			charged[p.name] = (charged[p.name] or 0) + p.amount
		end
	end
	row(lease.who, { '-1', '0', '0', '0',
		lease.cost == '0' and '0' or '-' .. lease.cost })
elseif old then
	end_lease(parse(old), false)
end

for _ = 1, tonumber(ARGV[4]) do
	local kind, n, name = ARGV[at], int(ARGV[at + 1]), ARGV[at + 2]
	n = math.max(0, n - (charged[name] or 0))
	if n > 0 then
		local c = counter(name, kind)
		use(c, n)
		c.expire = ARGV[at + 3]
	end
	at = at + 4
end
for _ = 1, tonumber(ARGV[5]) do
	row(ARGV[at], { ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4],
		ARGV[at + 5] })
	at = at + 6
end
-- What frees memory comes first: a server that is full lets it pass, and with
-- it all of this.
call('DEL', KEYS[3])
call('ZREM', KEYS[2], ARGV[2])
if settles or done then
	call('SET', KEYS[4], '', 'PX', DONE_KEEP)
end
local answer = { done and 'LATE' or old and 'OK' or 'GONE', epoch, text(now),
	done or '' }
