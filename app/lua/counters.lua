-- What all scripts of the ledger begin with. A script reads and checks all it
-- needs, plans in memory, and writes at its end (flush): Redis undoes nothing
-- of a script that fails half-way. Numbers are whole and below 2^53 wherever
-- they are compared; in texts they have all their digits. (A number that is
-- given to redis.call has 17, one that Lua makes a text of has 14.)
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

local this_slot = field(slot)

local function counter(name, kind)
	local key = P .. 'c:' .. name
	local c = counters[key]
	if c then
		return c
	end
	local rate, v = kind == RPM or kind == TPM, nil
	if rate then
		v = call('HMGET', key, 'u', 'h', this_slot, 'f', 'l')
	else
		v = call('HMGET', key, 'u', 'h')
	end
	c = { key = key, kind = kind, used = int(v[1]), held = int(v[2]),
		stored = int(v[1]), filled = int(v[3]), before = int(v[2]),
		over = 0, again = 0, gone = {}, du = 0, dh = 0, expire = 0,
		new = not v[1] and not v[2], first = 1, last = 0,
		rate = rate }
	if rate and v[4] then
		look_slots(c, int(v[4]), int(v[5]))
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

-- Into which slot it goes now, and how much; the fields of the ends.
local function flush_slots(c, set)
	local add = c.again + (c.du > 0 and c.du or 0)
	if #c.gone > 0 then
		call('HDEL', c.key, unpack(c.gone))
	end
	if add > 0 then
		local at = c.again > 0 and slot or math.max(slot, c.last)
		if at == slot and #c.gone == 0 then
			set[#set + 1] = this_slot
			set[#set + 1] = c.filled + add
		else
			call('HINCRBY', c.key, field(at), add)
		end
		c.fresh = at > c.last
		if c.first > c.last then
			c.first = at
		end
		c.last = at
	end
	if add > 0 or #c.gone > 0 then
		local n = #set
		set[n + 1], set[n + 2] = 'f', c.first
		set[n + 3], set[n + 4] = 'l', c.last
	end
end

-- When it may be forgotten: windows after their time, the others when nobody
-- uses them, and never while something is held.
local function flush_expiry(c)
	if c.kind == MONEY then
		if c.new and c.expire > 0 then
			call('PEXPIREAT', c.key, math.ceil(c.expire / 1000))
		end
	elseif c.held == 0 then
		if c.fresh or c.dh ~= 0 or c.new then
			call('PEXPIRE', c.key, RATE_KEEP)
		end
	elseif c.before == 0 then
		call('PERSIST', c.key)
	end
end

local function flush_counter(c)
	local du, set = c.du, {}
	if c.rate then
		flush_slots(c, set)
		du = du - c.over + c.again
	end
	local u = c.stored + du
	-- Beyond what is exact here the server counts.
	if math.abs(u) < 9e15 and math.abs(c.stored) < 9e15 and
	    c.before < 9e15 then
		local n = #set
		set[n + 1], set[n + 2] = 'u', u
		set[n + 3], set[n + 4] = 'h', c.before + c.dh
	else
		call('HINCRBY', c.key, 'u', du)
		call('HINCRBY', c.key, 'h', c.dh)
	end
	if #set > 0 then
		call('HSET', c.key, unpack(set))
	end
	flush_expiry(c)
end

-- Usage: rows to add to, by key and field.
local rows = {}

local function row(who, n)
	rows[#rows + 1] = { who = who, n = n }
end

local letters = { 'r', 'i', 'o', 'c', '$' }

-- What is not 0 of a row. Beyond what is exact here the server counts.
local function flush_row(key, who, n)
	local fields, sums, new, exact = {}, {}, false, true
	for i, v in ipairs(n) do
		if v ~= '0' then
			fields[#fields + 1] = letters[i] .. who
			sums[#sums + 1] = v
		end
	end
	if #fields == 0 then
		return
	end
	local old, set = call('HMGET', key, unpack(fields)), {}
	for i, f in ipairs(fields) do
		local is = int(old[i])
		local sum = is + int(sums[i])
		new = new or not old[i]
		exact = exact and math.abs(is) < 4e15 and math.abs(sum) < 4e15
		set[2 * i - 1], set[2 * i] = f, sum
	end
	if exact then
		call('HSET', key, unpack(set))
	else
		for i, f in ipairs(fields) do
			call('HINCRBY', key, f, sums[i])
		end
	end
	if new then
		call('EXPIRE', key, USAGE_KEEP)
	end
end

local function flush()
	for _, c in ipairs(order) do
		if c.du ~= 0 or c.dh ~= 0 or #c.gone > 0 then
			flush_counter(c)
		end
	end
	for _, r in ipairs(rows) do
		flush_row(P .. 'u:' .. string.sub(r.who, 1, 8),
			string.sub(r.who, 9), r.n)
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
