-- What all scripts of the ledger begin with. A script reads and checks all it
-- needs, plans in memory, and writes at its end (flush): Redis undoes nothing
-- of a script that fails half-way. Numbers are whole and below 2^53 wherever
-- they are compared. To redis.call they go as texts: of a number it makes one
-- with printf, which costs more than the command.
--
-- KEYS[1] the epoch, KEYS[2] the leases by their end; ARGV[1] the epoch that
-- the caller knows, '' for any (of those that only read). All keys have one hash tag, so that a cluster
-- keeps them together, those too that a script makes up by itself. Where KEYS[3]
-- is a key that is never there, it is for this: while the slot moves from one
-- node to another, the server refuses the script (TRYAGAIN).
local call, format = redis.call, string.format
local P = '{tollgate}:'

local time = call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function text(n)
	return format('%d', n)
end

local epoch = call('GET', KEYS[1])
if not epoch then
	return { 'EMPTY', '', text(now) }
end
if ARGV[1] ~= '' and ARGV[1] ~= epoch then
	return { 'EPOCH', epoch, text(now) }
end
