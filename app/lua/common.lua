-- What all scripts of the ledger begin with. A script reads and checks all it
-- needs, plans in memory, and writes at its end (flush): Redis undoes nothing
-- of a script that fails half-way. Numbers are whole and below 2^53 wherever
-- they are compared; in texts they have all their digits.
--
-- KEYS[1] the epoch, KEYS[2] the leases by their end; ARGV[1] the epoch that
-- the caller knows, '' for any (of those that only read). All keys have one hash tag, so that a cluster
-- keeps them together, those too that a script makes up by itself. Where KEYS[3]
-- is a key that is never there, it is for this: while the slot moves from one
-- node to another, the server refuses the script (TRYAGAIN).
local call = redis.call
local P = '{tollgate}:'
local SLOT, SLOTS = 250000, 241
local RPM, TPM, MONEY = '0', '1', '3'
local RATE_KEEP, DONE_KEEP, USAGE_KEEP = 120000, 86400000, 34560000

local time = call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local slot = math.floor(now / SLOT)

local function text(n)
	return string.format('%.0f', n)
end

local epoch = call('GET', KEYS[1])
if not epoch then
	return { 'EMPTY', '', text(now) }
end
if ARGV[1] ~= '' and ARGV[1] ~= epoch then
	return { 'EPOCH', epoch, text(now) }
end

local function int(s)
	local n = s and tonumber(s) or 0
	if not n or n ~= math.floor(n) or n > 9e18 or n < -9e18 then
		error('the ledger holds what is no number')
	end
	return n
end

-- A counter as it will be: used, held, what of used is in slots that are past
-- (gone: their fields), and by how much that differs from what is stored.
local counters, order = {}, {}

local function field(s)
	return 's' .. text(s)
end

-- Which of the slots first..last do not count any more.
local function look_slots(c, first, last)
	local upto = math.min(last, slot - SLOTS)
	if last > slot + 8 then
		upto = last -- the server's clock went back
	end
	for s = first, upto do
		c.gone[#c.gone + 1] = field(s)
	end
	if #c.gone > 0 then
		for _, v in ipairs(call('HMGET', c.key, unpack(c.gone))) do
			c.over = c.over + int(v)
		end
	end
	if last > slot + 8 then
		c.again = c.over -- counts from now on
	else
		c.used = c.used - c.over
	end
	c.first, c.last = upto + 1, last
	if c.first < first then
		c.first = first
	end
end

local function counter(name, kind)
	local key = P .. 'c:' .. name
	local c = counters[key]
	if c then
		return c
	end
	local v = call('HMGET', key, 'u', 'h', 'f', 'l')
	c = { key = key, kind = kind, used = int(v[1]), held = int(v[2]),
		over = 0, again = 0, gone = {}, du = 0, dh = 0, expire = 0,
		new = not v[1] and not v[2], first = 1, last = 0,
		rate = kind == RPM or kind == TPM }
	if c.rate and v[3] then
		look_slots(c, int(v[3]), int(v[4]))
	end
	counters[key] = c
	order[#order + 1] = c
	return c
end

local function use(c, n)
	c.used = c.used + n
	c.du = c.du + n
end

local function hold(c, n)
	c.held = c.held + n
	c.dh = c.dh + n
end

local function unhold(c, n)
	hold(c, -math.min(n, c.held))
end

local function flush_slots(c)
	local add = c.again + (c.du > 0 and c.du or 0)
	if #c.gone > 0 then
		call('HDEL', c.key, unpack(c.gone))
	end
	if add > 0 then
		local at = c.again > 0 and slot or math.max(slot, c.last)
		call('HINCRBY', c.key, field(at), text(add))
		if c.first > c.last then
			c.first = at
		end
		c.last = at
	end
	if add > 0 or #c.gone > 0 then
		call('HSET', c.key, 'f', text(c.first), 'l', text(c.last))
	end
end

local function flush_counter(c)
	local du = c.du
	if c.rate then
		flush_slots(c)
		du = du - c.over + c.again
	end
	if du ~= 0 or c.new then
		call('HINCRBY', c.key, 'u', text(du))
	end
	if c.dh ~= 0 then
		call('HINCRBY', c.key, 'h', text(c.dh))
	end
	if c.kind ~= MONEY then
		if c.held == 0 then
			call('PEXPIRE', c.key, RATE_KEEP)
		elseif c.dh > 0 then
			call('PERSIST', c.key)
		end
	elseif c.new and c.expire > 0 then
		call('PEXPIREAT', c.key, text(math.ceil(c.expire / 1000)))
	end
end

-- Usage: rows to add to, by key and field.
local rows = {}

local function row(who, n)
	rows[#rows + 1] = { who = who, n = n }
end

local letters = { 'r', 'i', 'o', 'c', '$' }

local function flush()
	for _, c in ipairs(order) do
		if c.du ~= 0 or c.dh ~= 0 or #c.gone > 0 then
			flush_counter(c)
		end
	end
	for _, r in ipairs(rows) do
		local key = P .. 'u:' .. string.sub(r.who, 1, 8)
		local who = string.sub(r.who, 9)
		for i, n in ipairs(r.n) do
			if tonumber(n) ~= 0 then
				call('HINCRBY', key, letters[i] .. who, n)
			end
		end
		if call('TTL', key) == -1 then
			call('EXPIRE', key, USAGE_KEEP)
		end
	end
end

-- A lease: its state ('r' reserved, 's' sent), then who, cost, and a line
-- "kind amount name" a part.
local function parse(lease)
	local who, cost, rest = string.match(lease, '^.([^\n]*)\n(%d+)\n(.*)$')
	local parts = {}
	if not who then
		error('the ledger holds a lease that is none')
	end
	for kind, amount, name in
	    string.gmatch(rest, '(%d) (%d+) ([^\n]*)\n') do
		parts[#parts + 1] = { kind = kind, amount = int(amount),
			name = name }
	end
	return { sent = string.sub(lease, 1, 1) == 's', who = who,
		cost = cost, parts = parts, text = string.sub(lease, 2) }
end

-- Plan the end of a lease: what it holds is free, or used.
local function end_lease(lease, charge)
	for _, p in ipairs(lease.parts) do
		if p.amount > 0 then
			local c = counter(p.name, p.kind)
			unhold(c, p.amount)
			if charge and (p.kind == MONEY or p.kind == TPM) then
				use(c, p.amount)
			end
		end
	end
	if charge then
		row(lease.who, { '1', '0', '0', '0', lease.cost })
	end
end
