"""Load on a running `earmark serve`: many clients for a while, and searches beside an indexing job.

    python3 benches/serve.py load http://127.0.0.1:7788 --pid PID [--clients 64] [--seconds 60]
    python3 benches/serve.py latency http://127.0.0.1:7788 --root NAME [--seconds 20]

`load` mixes text searches with uploads (search by sound, classify, events) of the sample sounds; anything but 200 and 429
is an error, and the memory of the process is read from /proc. `latency` measures text searches that the cache does not
know, alone and then while a job embeds everything under a root again. Needs aiohttp.
"""

import argparse
import asyncio
import collections
import itertools
import json
import pathlib
import random
import time

import aiohttp

SOUNDS = pathlib.Path(__file__).parent.parent / "index-data/sounds"
WORDS = "dog rain siren piano wind bell water footsteps engine bird crowd door glass thunder guitar".split()


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def form(request, path):
    data = aiohttp.FormData()
    data.add_field("request", json.dumps(request))
    data.add_field("file", path.read_bytes(), filename=path.name)
    return data


async def one(session, base, rng, files):
    """One request of the mix; its kind, status and seconds."""
    begun = time.perf_counter()
    kind = rng.choices(["text", "upload", "classify", "events"], [70, 12, 12, 6])[0]
    if kind == "text":
        words = " ".join(rng.sample(WORDS, rng.randint(1, 4)))
        call = session.post(f"{base}/v1/search", json={"query": [{"text": words}]})
    elif kind == "upload":
        data = form({"query": [{"upload": "file"}]}, rng.choice(files))
        call = session.post(f"{base}/v1/search", data=data)
    else:
        data = form({"labels": rng.sample(WORDS, 3)}, rng.choice(files))
        call = session.post(f"{base}/v1/{kind}", data=data)
    async with call as response:
        body = await response.read()
        if response.status not in (200, 429):
            print(kind, response.status, body[:300])
        return kind, response.status, time.perf_counter() - begun


async def load(args):
    files = sorted(p for p in SOUNDS.rglob("*") if p.is_file())
    counts, times, memory = collections.Counter(), collections.defaultdict(list), []
    end = time.monotonic() + args.seconds
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def client(number):
            rng = random.Random(number)
            while time.monotonic() < end:
                kind, status, seconds = await one(session, args.base, rng, files)
                counts[kind, status] += 1
                times[kind].append(seconds)
                if status == 429:
                    await asyncio.sleep(rng.uniform(0.1, 0.3))

        async def watch():
            while time.monotonic() < end:
                memory.append(resident_mib(args.pid))
                await asyncio.sleep(1)

        await asyncio.gather(watch(), *(client(n) for n in range(args.clients)))
    for key in sorted(counts):
        print(*key, counts[key])
    for kind, seconds in sorted(times.items()):
        print(kind, describe(seconds))
    third = len(memory) // 3
    first, last = max(memory[third : 2 * third]), max(memory[2 * third :])
    print(f"memory MiB: start {memory[0]:.0f}, most in the middle third {first:.0f}, most in the last third {last:.0f}")
    errors = sum(n for (_, status), n in counts.items() if status not in (200, 429))
    assert errors == 0, f"{errors} errors"
    assert last < 1.1 * first + 20, "memory grows"


def percentile(seconds, share):
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def describe(seconds):
    at = lambda share: percentile(seconds, share) * 1000
    return f"n {len(seconds)}, ms: p50 {at(0.5):.1f}, p90 {at(0.9):.1f}, p99 {at(0.99):.1f}, most {max(seconds) * 1000:.1f}"


async def latency(args):
    fresh = itertools.count()

    async def searches(session, going):
        seconds = []
        while await going():
            body = {"query": [{"text": f"{random.choice(WORDS)} number {next(fresh)}"}]}
            begun = time.perf_counter()
            async with session.post(f"{args.base}/v1/search", json=body) as response:
                assert response.status == 200, await response.text()
                await response.read()
            seconds.append(time.perf_counter() - begun)
            await asyncio.sleep(0.02)
        return seconds

    async with aiohttp.ClientSession() as session:
        end = time.monotonic() + args.seconds

        async def in_time():
            return time.monotonic() < end

        idle = await searches(session, in_time)
        print("idle", describe(idle))
        end = time.monotonic() + args.seconds
        job = {}

        async def while_working():
            if job and job.get("looked", 0) > time.monotonic() - 0.5:
                return time.monotonic() < end
            if job:
                async with session.get(f"{args.base}/v1/jobs/{job['id']}") as response:
                    state = (await response.json())["state"]
                job["looked"] = time.monotonic()
            if not job or state == "done":
                body = {"root": args.root, "force": True}
                async with session.post(f"{args.base}/v1/jobs", json=body) as response:
                    job.update(await response.json(), looked=time.monotonic())
            return time.monotonic() < end

        busy = await searches(session, while_working)
        print("beside a job", describe(busy))
        ratio = percentile(busy, 0.99) / percentile(idle, 0.99)
        print(f"p99 beside a job is {ratio:.1f} times the idle one")
        assert ratio < 3, "searches must stay responsive beside a job"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["load", "latency"])
    parser.add_argument("base")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--root", default="sounds")
    args = parser.parse_args()
    asyncio.run(load(args) if args.what == "load" else latency(args))


main()
