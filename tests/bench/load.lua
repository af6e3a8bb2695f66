-- The load of the bench for wrk: one chat request of a given size, sent
-- again and again. Arguments after the URL: bytes of the body, key, model, and
-- ms that a connection rests between two requests (a mean; 0: it does not).
-- Prints one line "bench KEY=VALUE …" that tests/bench reads; times in µs.

local words = "The tide turns at noon, and the boats that lay on the sand " ..
    "lift one by one; a child counts them: \\\"one, two, … eleven\\\".\\n"

local rest = 0

function init(args)
	local size = tonumber(args[1])
	local head = '{"model":"' .. args[3] ..
	    '","stream":false,"max_tokens":256,' ..
	    '"temperature":0.7,"messages":[{"role":"system","content":' ..
	    '"You are a patient harbour master."},' ..
	    '{"role":"user","content":"'
	local tail = '"}]}'
	local room = size - #head - #tail
	local text = string.rep(words, math.floor(room / #words))

	text = text .. string.rep("x", room - #text)
	rest = tonumber(args[4] or "0")
	math.randomseed(tonumber(args[1]))
	if rest == 0 then
		delay = nil
	end
	wrk.method = "POST"
	wrk.body = head .. text .. tail
	wrk.headers["Content-Type"] = "application/json"
	wrk.headers["Authorization"] = "Bearer " .. args[2]
end

-- So that the connections do not fall into step.
function delay()
	return math.random(0, 2 * rest)
end

function done(summary, latency, requests)
	local e = summary.errors

	io.write(string.format("bench requests=%d us=%d p50=%.1f p90=%.1f " ..
	    "p99=%.1f max=%.1f status=%d socket=%d timeout=%d\n",
	    summary.requests, summary.duration, latency:percentile(50),
	    latency:percentile(90), latency:percentile(99), latency.max,
	    e.status, e.connect + e.read + e.write, e.timeout))
end
