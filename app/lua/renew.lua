-- ARGV: 2 lease in µs, then ids.
local at = text(now + tonumber(ARGV[2]))
local pairs_ = {}
for i = 3, #ARGV do
	pairs_[#pairs_ + 1] = at
	pairs_[#pairs_ + 1] = ARGV[i]
end
call('ZADD', KEYS[2], 'XX', unpack(pairs_))
return { 'OK', epoch, text(now) }
