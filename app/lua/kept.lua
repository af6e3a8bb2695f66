-- Files and batches that providers keep. KEYS[1] the ids that are due; all
-- keys have one hash tag, those too that are made up here. ARGV[1] the verb:
--	put id owner made due forget text was   was '-': whatever is there,
--	    '+TEXT': this one, or, with no text, none; times in µs
--	drop id owner
--	list owner after n
--	due now until
--	keep id piece forget bytes              most in ARGV[6]
--	lose id
local call = redis.call
local P = 'tollgate:{kept}:'
local verb, id = ARGV[1], ARGV[2]
local KEEP = 40 * 86400 -- s; longer than any record

local function ms(s)
	return string.format('%.0f', math.ceil(tonumber(s) / 1000))
end

if verb == 'put' then
	local key, was = P .. 'r:' .. id, ARGV[8]
	if was ~= '-' and (call('GET', key) or '') ~= string.sub(was, 2) then
		return 'CONFLICT'
	end
	call('SET', key, ARGV[7])
	call('PEXPIREAT', key, ms(ARGV[6]))
	call('ZADD', P .. 'o:' .. ARGV[3], ARGV[4], id)
	call('EXPIRE', P .. 'o:' .. ARGV[3], KEEP)
	if ARGV[5] == '0' then
		call('ZREM', KEYS[1], id)
	else
		call('ZADD', KEYS[1], ARGV[5], id)
	end
	return 'OK'
end

if verb == 'drop' then
	call('DEL', P .. 'r:' .. id)
	call('ZREM', P .. 'o:' .. ARGV[3], id)
	call('ZREM', KEYS[1], id)
	return 'OK'
end

if verb == 'list' then
	local key, from, texts = P .. 'o:' .. id, 0, {}
	local after, n = ARGV[3], tonumber(ARGV[4])
	if after ~= '' then
		from = call('ZREVRANK', key, after)
		if not from then
			return texts
		end
		from = from + 1
	end
	while #texts < n do
		local ids = call('ZREVRANGE', key, from, from + n - 1)
		if #ids == 0 then
			break
		end
		for _, one in ipairs(ids) do
			local text = call('GET', P .. 'r:' .. one)
			if not text then
				call('ZREM', key, one)
				from = from - 1
			elseif #texts < n then
				texts[#texts + 1] = text
			end
		end
		from = from + #ids
	end
	return texts
end

if verb == 'due' then
	for _, one in ipairs(call('ZRANGEBYSCORE', KEYS[1], '-inf', id,
	    'LIMIT', 0, 16)) do
		local text = call('GET', P .. 'r:' .. one)
		if text then
			call('ZADD', KEYS[1], ARGV[3], one)
			return { text }
		end
		call('ZREM', KEYS[1], one)
	end
	return {}
end

-- The bodies and their sizes: b: a hash of pieces, sizes: bytes by id.
local sizes = P .. 'sizes'
if verb == 'keep' then
	local key, sum = P .. 'b:' .. id, 0
	local all = call('HGETALL', sizes)
	for i = 1, #all, 2 do
		if call('EXISTS', P .. 'b:' .. all[i]) == 1 then
			sum = sum + tonumber(all[i + 1])
		else
			call('HDEL', sizes, all[i])
		end
	end
	if sum + #ARGV[5] > tonumber(ARGV[6]) then
		return 'FULL'
	end
	call('HSET', key, ARGV[3], ARGV[5])
	call('PEXPIREAT', key, ms(ARGV[4]))
	call('HINCRBY', sizes, id, #ARGV[5])
	return 'OK'
end

call('DEL', P .. 'b:' .. id)
call('HDEL', sizes, id)
return 'OK'
