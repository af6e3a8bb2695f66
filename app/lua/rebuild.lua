-- A store without an epoch knows nothing of what was used. Hosts tell what they
-- have used, as much as takes ('tell'), and then that this was all ('finish');
-- when all that are wanted have, it counts, and there is an epoch again. A
-- host that comes later adds its own, once in an epoch. By itself: not behind
-- the others.
--
-- KEYS[1] the epoch; ARGV: 1 'tell', 2 host, then key, field, value, expiry in
-- ms of each; or 1 'finish', 2 host, 3 a new epoch, then hosts that are wanted.
local call = redis.call
local P = '{tollgate}:'
local host = ARGV[2]

if ARGV[1] == 'tell' then
	local share = P .. 'share:' .. host
	for i = 3, #ARGV, 4 do
		call('HSET', share, ARGV[i] .. '\n' .. ARGV[i + 1],
			ARGV[i + 2] .. ' ' .. ARGV[i + 3])
	end
	call('PEXPIRE', share, 86400000)
	return { 'OK', '' }
end

-- What a host told, checked before anything is written.
local function share_of(h)
	local parts, all = {}, call('HGETALL', P .. 'share:' .. h)
	for i = 1, #all, 2 do
		local key, field = string.match(all[i], '^([^\n]*)\n(.*)$')
		local n, expire = string.match(all[i + 1], '^(-?%d+) (%d+)$')
		if not n then
			error('a share that is none')
		end
		local old = tonumber(call('HGET', P .. key, field) or '0')
		if not old or math.abs(old) > 8e18 then
			error('the ledger holds what is no number')
		end
		parts[#parts + 1] = { key = P .. key, field = field, n = n,
			expire = expire }
	end
	return parts
end

local function add(h, parts, epoch)
	for _, p in ipairs(parts) do
		call('HINCRBY', p.key, p.field, p.n)
		if p.expire ~= '0' then
			call('PEXPIREAT', p.key, p.expire)
		end
	end
	call('DEL', P .. 'share:' .. h)
	call('HSET', P .. 'told', h, epoch)
end

local epoch = call('GET', KEYS[1])
if epoch then
	if call('HGET', P .. 'told', host) ~= epoch then
		add(host, share_of(host), epoch)
	end
	call('DEL', P .. 'share:' .. host)
	return { 'OK', epoch }
end

local hosts, missing = { [host] = true }, ''
local here = call('HGETALL', P .. 'here')
for i = 1, #here, 2 do
	hosts[here[i]] = here[i + 1] == '1' or hosts[here[i]] or false
end
for i = 4, #ARGV do
	hosts[ARGV[i]] = hosts[ARGV[i]] or false
end
for h, told in pairs(hosts) do
	if not told then
		missing = h
	end
end
if missing ~= '' then
	for h, told in pairs(hosts) do
		call('HSET', P .. 'here', h, told and '1' or '0')
	end
	return { 'WAIT', missing }
end
local shares = {}
for h in pairs(hosts) do
	shares[h] = share_of(h)
end
for h, parts in pairs(shares) do
	add(h, parts, ARGV[3])
end
call('DEL', P .. 'here')
call('SET', KEYS[1], ARGV[3])
return { 'OK', ARGV[3] }
