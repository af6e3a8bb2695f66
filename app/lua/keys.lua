-- KEYS: 1 names; then of the secrets to set, then of those to drop.
-- ARGV: 1 name, 2 the record that is there ("" = none), 3 the new one, 4 row,
-- 5 secrets to set, then until when each (s since 1970, 0 = always).
-- What revokes comes first: it must work on a full server.
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
	return 'CHANGED'
end
local sets = tonumber(ARGV[5])
for i = sets + 2, #KEYS do
	redis.call('DEL', KEYS[i])
end
for i = 1, sets do
	redis.call('SET', KEYS[i + 1], ARGV[4])
	if ARGV[5 + i] ~= '0' then
		redis.call('EXPIREAT', KEYS[i + 1], ARGV[5 + i])
	end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'OK'
