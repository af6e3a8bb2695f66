-- KEYS[3] the lease, KEYS[4] the mark of its end; ARGV: 2 id, 3 's' settle or
-- 'r' release, 4 the number of parts; of each part kind, actual, name, expiry;
-- then rows: who and its five numbers. LATE brings the charge that was taken
-- back.
local id, settles, n = ARGV[2], ARGV[3] == 's', tonumber(ARGV[4])
local FIRST, WORDS = 5, 4

local known = call('MGET', KEYS[4], KEYS[3])
local done, old = known[1], known[2]
if done == '' then
	return { 'TWICE', epoch, text(now) }
end

local actual = {}
if settles then
	for i = 0, n - 1 do
		local at = FIRST + i * WORDS
		actual[#actual + 1] = { kind = ARGV[at],
			n = int(ARGV[at + 1]), name = ARGV[at + 2],
			expire = tonumber(ARGV[at + 3]) }
	end
end

-- It was charged in full when its lease ran out: take that back, but tokens a
-- minute, which are past soon.
local function take_back(lease)
	local tokens = {}
	for _, p in ipairs(lease.parts) do
		if p.kind == MONEY then
			use(counter(p.name, p.kind), -p.amount)
		elseif p.kind == TPM then
			tokens[p.name] = (tokens[p.name] or 0) + p.amount
		end
	end
	for _, a in ipairs(actual) do
		if a.kind == TPM then
			a.n = math.max(0, a.n - (tokens[a.name] or 0))
		end
	end
	local cost = lease.cost == '0' and '0' or '-' .. lease.cost
	row(lease.who, { '-1', '0', '0', '0', cost })
end

if done then
	take_back(parse('s' .. done))
elseif old then
	end_lease(parse(old), false)
end
for _, a in ipairs(actual) do
	local c = counter(a.name, a.kind)
	if a.n > 0 then
		use(c, a.n)
	end
	if a.expire > c.expire then
		c.expire = a.expire
	end
end
if settles then
	for i = FIRST + n * WORDS, #ARGV, 6 do
		row(ARGV[i], { ARGV[i + 1], ARGV[i + 2], ARGV[i + 3],
			ARGV[i + 4], ARGV[i + 5] })
	end
end
-- What frees memory comes first: a server that is full lets it pass, and with
-- it all of this.
call('DEL', KEYS[3])
call('ZREM', KEYS[2], id)
if settles or done then
	call('SET', KEYS[4], '', 'PX', DONE_KEEP)
end
flush()
if done then
	return { 'LATE', epoch, text(now), done }
end
return { old and 'OK' or 'GONE', epoch, text(now) }
