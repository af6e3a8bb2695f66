-- Counters: read once, changed in memory, written at the end by flush.
local SLOT, SLOTS = 250000, 241
local RPM, TPM, PARALLEL, MONEY = '0', '1', '2', '3'
local RATE_KEEP = '120000'
local slot = math.floor(now / SLOT)
local this_slot = 's' .. slot

-- (n % 1 is not 0 of what is no number, too.)
local function int(s)
	if not s then
		return 0
	end
	local n = tonumber(s)
	if not n or n % 1 ~= 0 or n > 9e18 or n < -9e18 then
		error('the ledger holds what is no number')
	end
	return n
end

-- Which of the slots first..last of a rate do not count any more (gone: their
-- fields), and what was used in them (over; again: of those that count from
-- now on).
local function look_slots(c)
	local first, last, gone = c.first, c.last, {}
	local upto = math.min(last, slot - SLOTS)
	if last > slot + 8 then
		upto = last -- the server's clock went back
	end
	for s = first, upto do
		gone[#gone + 1] = 's' .. s
	end
	for _, v in ipairs(call('HMGET', c.key, unpack(gone))) do
		c.over = c.over + int(v)
	end
	if last > slot + 8 then
		c.again = c.over
	else
		c.used = c.used - c.over
	end
	c.gone = gone
	c.first = math.max(first, upto + 1)
end

-- A counter as it will be (used, held), as it is in the store (stored, before),
-- and what came to it (du, dh). A rate has the slots first..last beside, this
-- one with what is in it.
local counters, order = {}, {}

local function counter(name, kind)
	local c = counters[name]
	if c then
		return c
	end
	local key = P .. 'c:' .. name
	if kind == RPM or kind == TPM then
		local v = call('HMGET', key, 'u', 'h', this_slot, 'f', 'l')
		local used, held = int(v[1]), int(v[2])
		c = { key = key, kind = kind, used = used, held = held,
			stored = used, before = held, du = 0, dh = 0,
			new = not v[1] and not v[2], rate = true, filled = int(v[3]), over = 0, again = 0,
			first = 1, last = 0 }
		if v[4] then
			c.first, c.last = int(v[4]), int(v[5])
			if c.first <= c.last and (c.first <= slot - SLOTS or
			    c.last > slot + 8) then
				look_slots(c)
			end
		end
	else
		local v = call('HMGET', key, 'u', 'h')
		local used, held = int(v[1]), int(v[2])
		c = { key = key, kind = kind, used = used, held = held,
			stored = used, before = held, du = 0, dh = 0,
			new = not v[1] and not v[2] }
	end
	counters[name] = c
	order[#order + 1] = c
	return c
end

local function use(c, n)
	c.used, c.du = c.used + n, c.du + n
end

local function hold(c, n)
	c.held, c.dh = c.held + n, c.dh + n
end

-- Into which slot it goes now, and how much; the fields of the ends.
local function flush_slots(c, set)
	local add, first, last = c.again + math.max(c.du, 0), c.first, c.last
	if c.gone then
		call('HDEL', c.key, unpack(c.gone))
	end
	if add > 0 then
		local at = c.again > 0 and slot or math.max(slot, last)
		if at == slot and not c.gone then
			set[1], set[2] = this_slot, text(c.filled + add)
		else
			call('HINCRBY', c.key, 's' .. at, text(add))
		end
		c.fresh = at > last
		c.first, c.last = first > last and at or first, at
	end
	if c.gone or c.first ~= first or c.last ~= last then
		local n = #set
		set[n + 1], set[n + 2] = 'f', text(c.first)
		set[n + 3], set[n + 4] = 'l', text(c.last)
	end
end

-- When it may be forgotten: windows after their time (expire: ms), the others
-- when nobody uses them, and never while something is held.
local function flush_expiry(c)
	if c.kind == MONEY then
		if c.new and c.expire and c.expire ~= '0' then
			call('PEXPIREAT', c.key, c.expire)
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
	local du, u, set = c.du, c.used, {}
	if c.rate then
		flush_slots(c, set)
		du = du - c.over + c.again
	end
	-- Beyond what is exact here the server counts.
	if u < 9e15 and u > -9e15 and c.stored < 9e15 and c.stored > -9e15 and
	    c.before < 9e15 then
		local n = #set
		if du ~= 0 then
			set[n + 1], set[n + 2] = 'u', text(u)
			n = n + 2
		end
		if c.dh ~= 0 then
			set[n + 1], set[n + 2] = 'h', text(c.held)
		end
	else
		call('HINCRBY', c.key, 'u', text(du))
		call('HINCRBY', c.key, 'h', text(c.dh))
	end
	if #set > 0 then
		call('HSET', c.key, unpack(set))
	end
	flush_expiry(c)
end

local function flush()
	for _, c in ipairs(order) do
		if c.du ~= 0 or c.dh ~= 0 or c.gone then
			flush_counter(c)
		end
	end
end
