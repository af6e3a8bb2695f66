-- KEYS[3] the lease; ARGV: 2 id, 3 lease in µs, 4 from, 5 until (when the
-- names hold good), 6 'h' hold, 'm' more, or, of what this server has lost, 'r'
-- reserved or 's' sent: then no limit refuses; 7 who, 8 cost; then of each part
-- kind, limit, amount, turn, and name and expiry of both its windows.
local id, length, more = ARGV[2], tonumber(ARGV[3]), ARGV[6] == 'm'
local lost = ARGV[6] == 'r' or ARGV[6] == 's'
local FIRST, WORDS = 9, 8

if now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5]) then
	return { 'CLOCK', epoch, text(now) }
end

local parts = {}
for i = FIRST, #ARGV, WORDS do
	local turn = tonumber(ARGV[i + 3])
	local pick = now >= turn and 1 or 0
	local p = { kind = ARGV[i], limit = tonumber(ARGV[i + 1]),
		amount = tonumber(ARGV[i + 2]), text = ARGV[i + 2],
		pick = pick,
		name = ARGV[i + 4 + 2 * pick],
		expire = tonumber(ARGV[i + 5 + 2 * pick]) }
	p.c = counter(p.name, p.kind)
	parts[#parts + 1] = p
end

-- When so much of a rate will be free again; -1: not by itself.
local function rate_retry(c, need)
	local fields = {}
	for s = c.first, c.last do
		fields[#fields + 1] = field(s)
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

-- When (-2: at the end of its window, which the caller knows), and whether it
-- would fit but for what others hold.
local function refusal(p)
	local c = p.c
	local need = c.used + c.held + p.amount - p.limit
	if p.amount > p.limit then
		return -1, false
	end
	local retry = -1
	if c.rate then
		retry = rate_retry(c, need)
	elseif p.kind == MONEY then
		retry = -2
	end
	return retry, need <= c.held
end

-- All that refuse are told; the caller takes the one that lasts longest.
local refused = {}
for i, p in ipairs(parts) do
	if not lost and p.amount > p.limit - p.c.used - p.c.held then
		local retry, reserved = refusal(p)
		for _, v in ipairs({ text(i - 1), p.pick,
			text(math.max(0, p.limit - p.c.used - p.c.held)),
			text(retry), reserved and 1 or 0 }) do
			refused[#refused + 1] = v
		end
	end
end
if #refused > 0 then
	return { 'NO', epoch, text(now), unpack(refused) }
end

local key = KEYS[3]
local who, cost, lines = ARGV[7], ARGV[8], {}
local state = ARGV[6] == 's' and 's' or 'r'
if more then
	local old = call('GET', key)
	if not old then
		return { 'GONE', epoch, text(now) }
	end
	local lease = parse(old)
	who, state = lease.who, string.sub(old, 1, 1)
	cost = text(int(cost) + int(lease.cost))
	lines[1] = string.match(lease.text, '^[^\n]*\n%d+\n(.*)$')
end
for _, p in ipairs(parts) do
	lines[#lines + 1] = p.kind .. ' ' .. (p.kind == RPM and '0' or p.text) ..
		' ' .. p.name .. '\n'
end

-- SET first: when the server has no memory it is refused, and all of this.
local lease = state .. who .. '\n' .. cost .. '\n' .. table.concat(lines)
local twice = false
if more then
	call('SET', key, lease)
else
	twice = not call('SET', key, lease, 'NX')
end
local answer = { 'OK', epoch, text(now) }
for _, p in ipairs(parts) do
	if not twice then
		if p.kind == RPM then
			use(p.c, p.amount)
		else
			hold(p.c, p.amount)
		end
		if p.expire > p.c.expire then
			p.c.expire = p.expire
		end
	end
	local reset = 0
	if p.kind == RPM then
		reset = (slot + SLOTS) * SLOT - now
	elseif p.kind == TPM and p.c.first <= p.c.last then
		reset = (p.c.last + SLOTS) * SLOT - now
	end
	local n = #answer
	answer[n + 1] = p.pick
	answer[n + 2] = math.max(0, p.limit - p.c.used - p.c.held)
	answer[n + 3] = reset
end
if not twice then
	call('ZADD', KEYS[2], now + length, id)
end
flush()
return answer
