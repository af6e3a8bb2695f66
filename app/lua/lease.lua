-- Leases and usage, behind counters.lua.
-- (That something was settled, in ms: as long as money's windows are kept.)
local DONE_KEEP, USAGE_KEEP = '3024000000', '34560000'

-- Usage: rows to add to, by key and field.
local rows = {}

local function row(who, n)
	rows[#rows + 1] = { who = who, n = n }
end

-- What is not 0 of a row. Beyond what is exact here the server counts.
local function flush_row(key, who, n)
	local letters = { 'r', 'i', 'o', 'c', '$' }
	local fields, sums, new, exact = {}, {}, false, true
	for i = 1, 5 do
		if n[i] ~= '0' then
			fields[#fields + 1] = letters[i] .. who
			sums[#sums + 1] = n[i]
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
		exact = exact and is < 4e15 and is > -4e15 and
			sum < 4e15 and sum > -4e15
		set[2 * i - 1], set[2 * i] = f, text(sum)
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

local function flush_rows()
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
	return { who = who, cost = cost, parts = parts }
end

-- Plan the end of a lease: what it holds is free, or used.
local function end_lease(lease, charge)
	for _, p in ipairs(lease.parts) do
		if p.amount > 0 then
			local c = counter(p.name, p.kind)
			hold(c, -math.min(p.amount, c.held))
			if charge and p.kind ~= PARALLEL then
				use(c, p.amount)
			end
		end
	end
	if charge then
		row(lease.who, { '1', '0', '0', '0', lease.cost })
	end
end
