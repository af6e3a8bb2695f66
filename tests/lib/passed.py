"""A provider's own API that no dialect has: jobs, files, streams, faults. What
it bills stands in each answer that is well; each word costs."""

import base64
import json

FILE = bytes(range(256)) * 300
COOKIE = "session=of-the-provider"
HEADERS = [("set-cookie", COOKIE), ("server", "provider"),
           ("etag", '"e1"'), ("x-ratelimit-remaining-requests", "7"),
           ("content-disposition", 'attachment; filename="a.bin"')]


def words(x):
    return len(x.body.decode("utf-8", "replace").split())


def usage(x, output=3):
    n = words(x)
    x.bill_tokens(output, n)
    return {"usage": {"in": n, "out": output, "seconds": n / 2}}


async def job(x):
    """201, and what it cost."""
    await x.reply(201, {"id": "job_1", **usage(x)}, headers=HEADERS)


async def untold(x):
    """It does not say what it cost."""
    usage(x)
    await x.reply(200, {"id": "job_1", "usage": None})


async def lie(x):
    usage(x)
    await x.reply(200, {"usage": {"in": 10**12, "out": "many"}})


async def file(x):
    if x.method == "DELETE":
        await x.reply(204, b"")
    else:
        await x.reply(200, FILE, "application/pdf", HEADERS)


async def seen(x):
    """What reached it, but for what tells who asks."""
    await x.reply(200, {"method": x.method, "target": x.target,
                        "names": sorted({n.lower() for n, _ in x.headers}),
                        "body": base64.b64encode(x.body).decode()})


async def paced(x):
    """Bytes with the time between them that the path says, ms."""
    await x.head(200, "audio/x-odd")
    for i in range(5):
        await x.send(b"%d-" % i + bytes(10))
        await x.sleep(int(x.segments[-1]) / 1000)
    await x.end()


async def events(x):
    """Tokens told in an event on the way, and once more in a later one."""
    told = usage(x)
    await x.head()
    await x.event({"text": "a", "usage": {"in": 1, "out": 1}})
    await x.event(told)
    await x.event({"text": "b"})
    await x.event("[DONE]")
    await x.end()


async def slow(x):
    """Tokens told at the end, after a while."""
    told = usage(x)
    await x.head()
    for _ in range(10):
        await x.event({"text": "a"})
        await x.sleep(0.2)
    await x.event(told)
    await x.end()


async def lines(x):
    told = usage(x)
    await x.head(200, "application/x-ndjson")
    await x.send(b'{"text": "a"}\n' + json.dumps(told).encode() + b"\n")
    await x.end()


async def fault(x):
    """The status that the path says; what it says has our key in it."""
    key = dict((n.lower(), v) for n, v in x.headers).get("authorization", "")
    await x.reply(int(x.segments[-1]), {"odd": {"why": "no", "you": key}},
                  "application/problem+json", HEADERS)


async def cut(x):
    """It breaks off in its answer."""
    usage(x)
    await x.head(200, "application/json", length=1000)
    await x.send(b'{"usage": ')
    await x.sleep(0.05)
    x.cut()


async def mute(x):
    """It breaks off before it has said anything."""
    usage(x)
    x.cut()


async def away(x):
    await x.reply(302, b"", headers=[("location", "http://127.0.0.1/x")])


ROUTES = {"jobs": job, "untold": untold, "lie": lie, "files": file,
          "seen": seen, "paced": paced, "events": events, "lines": lines, "slow": slow,
          "fault": fault, "cut": cut, "mute": mute, "away": away}


async def answer(x):
    """By the first segment below the root."""
    rest = x.path.partition("/v1/")[2].split("/")
    await ROUTES[rest[0]](x)
