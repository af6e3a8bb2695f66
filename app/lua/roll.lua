-- Behind settle.lua: another hold in the place of the one that ended, of what
-- is wanted where all limits allow it, else of the least. ARGV goes on with the
-- new id, its lease in µs, from, until (as in hold.lua), who, cost of all and of
-- the least; then of each part kind, limit, amount, least, name, and when it may
-- be forgotten. The answer goes on with whether all of it is held, then of each
-- part what is left and when it is whole again.
local id, upto, lines = ARGV[at], tonumber(ARGV[at + 3]), {}
local first = at + 7
local fits = now >= tonumber(ARGV[at + 2]) and (upto == 0 or now < upto)

for i = first, #ARGV, 6 do
	local c = counter(ARGV[i + 4], ARGV[i])
	fits = fits and int(ARGV[i + 2]) <= int(ARGV[i + 1]) - c.used - c.held
end
answer[5] = fits and '1' or '0'
lines[1] = 's' .. ARGV[at + 4] .. '\n' .. ARGV[fits and at + 5 or at + 6] .. '\n'
for i = first, #ARGV, 6 do
	local kind, name = ARGV[i], ARGV[i + 4]
	local c, amount = counter(name, kind), fits and ARGV[i + 2] or ARGV[i + 3]
	hold(c, int(amount))
	c.expire = ARGV[i + 5]
	lines[#lines + 1] = kind .. ' ' .. amount .. ' ' .. name .. '\n'
	local n, reset = #answer, 0
	if c.rate and c.first <= c.last then
		reset = (c.last + SLOTS) * SLOT - now
	end
	answer[n + 1] = text(math.max(0, int(ARGV[i + 1]) - c.used - c.held))
	answer[n + 2] = text(reset)
end
call('SET', P .. 'l:' .. id, table.concat(lines))
call('ZADD', KEYS[2], text(now + tonumber(ARGV[at + 1])), id)
