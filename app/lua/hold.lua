-- KEYS[3] the lease; ARGV: 2 id, 3 lease in µs, 4 from, 5 until (when the
-- names hold good; 0: always), 6 'h' hold, 'm' more, or, of what this server
-- has lost, 'r' reserved or 's' sent: then no limit refuses; 7 who, 8 cost;
-- then of each part kind, limit, amount and name, and of money when it may be
-- forgotten (ms since 1970, 0: never).
local what, upto = ARGV[6], tonumber(ARGV[5])

if now < tonumber(ARGV[4]) or (upto > 0 and now >= upto) then
	return { 'CLOCK', epoch, text(now) }
end

local lines, at, fits = {}, 9, true
while at <= #ARGV do
	local kind, amount, name = ARGV[at], ARGV[at + 2], ARGV[at + 3]
	local c = counter(name, kind)
	c.limit, c.amount = tonumber(ARGV[at + 1]), tonumber(amount)
	lines[#lines + 1] = kind .. ' ' .. (kind == RPM and '0' or amount) ..
		' ' .. name .. '\n'
	at = at + 4
	if kind == MONEY then
		c.expire = ARGV[at]
		at = at + 1
	end
	fits = fits and c.amount <= c.limit - c.used - c.held
end

-- All that refuse are told; the caller takes the one that lasts longest.
if not fits and (what == 'h' or what == 'm') then
	-- When so much of a rate will be free again; -1: not by itself.
	local function rate_retry(c, need)
		local fields = {}
		for s = c.first, c.last do
			fields[#fields + 1] = 's' .. s
		end
		if #fields == 0 then
			return -1
		end
		for i, v in ipairs(call('HMGET', c.key, unpack(fields))) do
			need = need - int(v)
			if need <= 0 then
				return (c.first + i - 1 + SLOTS) * SLOT - now
			end
		end
		return -1
	end

	local refused = { 'NO', epoch, text(now) }
	for i, c in ipairs(order) do
		local left, retry = c.limit - c.used - c.held, -1
		if c.amount > left then
			local ever = c.amount <= c.limit
			if ever and c.rate then
				retry = rate_retry(c, c.amount - left)
			elseif ever and c.kind == MONEY then
				retry = -2 -- at the end of its window
			end
			-- Whether it would fit but for what others hold.
			for _, v in ipairs({ text(i - 1),
				text(math.max(0, left)), text(retry),
				ever and c.amount - left <= c.held and '1' or '0' }) do
				refused[#refused + 1] = v
			end
		end
	end
	return refused
end

local key, lease, twice = KEYS[3], table.concat(lines), false
-- SET first: when the server has no memory it is refused, and all of this.
if what == 'm' then
	local old = call('GET', key)
	if not old then
		return { 'GONE', epoch, text(now) }
	end
	local state, who, cost, rest =
		string.match(old, '^(.)([^\n]*)\n(%d+)\n(.*)$')
	cost = text(int(cost) + int(ARGV[8]))
	if call('PTTL', key) >= 0 then
		state = 's' -- it was marked, which SET forgets
	end
	call('SET', key, state .. who .. '\n' .. cost .. '\n' .. rest .. lease)
else
	lease = ARGV[7] .. '\n' .. ARGV[8] .. '\n' .. lease
	twice = not call('SET', key, (what == 's' and 's' or 'r') .. lease, 'NX')
end

local answer, n = { 'OK', epoch, now }, 3
for _, c in ipairs(order) do
	if not twice then
		if c.kind == RPM then
			use(c, c.amount)
		else
			hold(c, c.amount)
		end
	end
	local reset = 0
	if c.kind == RPM then
		reset = (slot + SLOTS) * SLOT - now
	elseif c.kind == TPM and c.first <= c.last then
		reset = (c.last + SLOTS) * SLOT - now
	end
	answer[n + 1] = math.max(0, c.limit - c.used - c.held)
	answer[n + 2] = reset
	n = n + 2
end
if not twice then
	call('ZADD', KEYS[2], text(now + tonumber(ARGV[3])), ARGV[2])
end
flush()
return answer
