"""The same requests through every face of earmark: the command line, HTTP, Python and MCP.

`cargo xtask python` runs it with the package's own environment. All four answer from one index, and every field of
every answer must be the same; so must the kind and the field of every error.

    python tests/faces/faces.py PROGRAM FOLDER_OF_SOUNDS
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import wave
from pathlib import Path
from typing import Any

Json = Any
LABELS = ["dog", "rain", "siren"]
LIST = ",".join(LABELS)


def cases(ids: dict[str, str], sounds: Path) -> list[tuple[str, Json, list[str] | None]]:
    """Method, request, and the command line that asks the same; `None` where it cannot ask for a clip by its id."""
    dog, rain = ids["dog-barking.wav"], ids["rain.flac"]
    bell = str(sounds / "church-bell.flac")
    any_score = ["--min-score=-1"]
    return [
        ("search", {"query": [{"text": "a dog barks"}]}, ["search", "a dog barks"]),
        ("search", {"query": [{"text": "siren"}], "k": 2, "min_score": -1.0}, ["search", "siren", "-k", "2", *any_score]),
        (
            "search",
            {"query": [{"text": "rain"}, {"text": "dog", "weight": -0.5}], "min_score": -1.0},
            ["search", "rain", "--not", "dog", "--not-weight", "0.5", *any_score],
        ),
        (
            "search",
            {"query": [{"text": "bell"}], "explain": True, "collapse": False, "min_score": -1.0},
            ["search", "bell", "--explain", "--segments", *any_score],
        ),
        (
            "search",
            {"query": [{"text": "animal"}], "filter": {"formats": ["wav"], "max_duration_s": 60.0}, "mode": "exact"},
            ["search", "animal", "--in-format", "wav", "--max-duration", "60", "--mode", "exact"],
        ),
        (
            "search",
            {"query": [{"text": "rain"}], "templates": ["the sound of {}", "{}"], "min_score": -1.0},
            ["search", "rain", "--template", "the sound of {}", "--template", "{}", *any_score],
        ),
        (
            "search",
            {"query": [{"text": '"dog barking" -rain'}], "by": "name", "sort": "duration"},
            ["search", '"dog barking" -rain', "--by", "name", "--sort", "duration"],
        ),
        (
            "search",
            {"query": [{"text": "bell"}], "diversity": 0.5, "k": 3},
            ["search", "bell", "--diversity", "0.5", "-k", "3"],
        ),
        ("search", {"query": [{"clip_id": dog}], "exclude": [dog], "min_score": None}, None),
        ("search", {"query": [{"clip_id": rain, "weight": 2.0}, {"text": "dog"}], "k": 3}, None),
        ("search", {"query": [{"text": "qwertyuiop"}]}, ["search", "qwertyuiop"]),
        ("search", {"query": [{"text": "siren"}], "filter": {"tags": ["nothing"]}}, ["search", "siren", "--with-tag", "nothing"]),
        ("classify", {"filter": {}, "labels": LABELS}, ["classify", "--indexed", "--labels", LIST]),
        (
            "classify",
            {"filter": {"path": "*.flac"}, "labels": LABELS, "multi": True, "top": 1},
            ["classify", "--indexed", "--path", "*.flac", "--labels", LIST, "--multi", "--top", "1"],
        ),
        ("classify", {"clip_ids": [dog, rain], "labels": LABELS, "pooling": "max"}, None),
        ("events", {"clip_id": dog, "labels": LABELS, "threshold": 0.4}, None),
        ("describe", {"clip_ids": [dog]}, None),
        ("duplicates", {}, ["duplicates"]),
        (
            "duplicates",
            {"filter": {"formats": ["wav", "mp3"]}, "keep": ["size", "rate"], "threshold": 0.9, "verify": False},
            [
                *["duplicates", "--in-format", "wav", "--in-format", "mp3", "--keep", "size,rate"],
                *["--threshold", "0.9", "--no-verify"],
            ],
        ),
        ("list", {}, ["list"]),
        ("list", {"filter": {"formats": ["flac"]}}, ["list", "--in-format", "flac"]),
        ("info", {}, ["info"]),
        # Errors: the same kind, of the same field.
        ("search", {"query": [{"text": "dog", "weight": -1.0}]}, ["search", "--not", "dog", "--not-weight", "1"]),
        ("events", {"clip_id": dog, "labels": LABELS, "hop_s": 99.0}, None),
        ("duplicates", {"threshold": 0.1}, ["duplicates", "--threshold", "0.1"]),
    ]


def write_softer(original: Path, softer: Path) -> None:
    """Writes a WAV file of 16-bit samples, with half of the level."""
    with wave.open(str(original)) as source, wave.open(str(softer), "wb") as target:
        target.setparams(source.getparams())
        samples = array.array("h", source.readframes(source.getnframes()))
        target.writeframes(array.array("h", [sample // 2 for sample in samples]).tobytes())


def command_line(program: str, db: str, args: list[str]) -> Json:
    done = subprocess.run([program, *args, "--json", "--db", db], capture_output=True, text=True)
    # A search that finds nothing says so with 1.
    if done.returncode == 0 or done.returncode == 1 and args[0] == "search":
        return json.loads(done.stdout)
    return {"error": done.stderr.strip()}


def http(address: str, method: str, request: Json) -> Json:
    if method == "info":
        url, data = f"{address}/v1/info", None
    elif method == "list":
        filters = "&".join(
            f"{name}={value}" for name, values in request.get("filter", {}).items() for value in values
        )
        url, data = f"{address}/v1/clips?limit=500&{filters}".rstrip("&"), None
    else:
        url, data = f"{address}/v1/{method}", json.dumps(request).encode()
    asked = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as e:
        problem = json.load(e)
        kind = problem["type"].rsplit(":", 1)[1]
        return {"error": {"kind": kind, "field": problem.get("field"), "detail": problem["detail"]}}


class Python:
    """`earmark._ask` of the installed package."""

    def __init__(self, db: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "earmark._ask", db], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, method: str, request: Json) -> Json:
        assert self.process.stdin and self.process.stdout
        method = "clips" if method == "list" else method
        self.process.stdin.write(json.dumps({"method": method, "request": request}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


TOOLS = {
    "search": "search_sounds",
    "classify": "classify_sound",
    "events": "find_events",
    "describe": "describe_sound",
    "duplicates": "find_duplicates",
    "list": "list_clips",
    "info": "library_info",
}


async def ask_tools(session: Any, asked: list[tuple[str, Json]]) -> list[Json]:
    """The answers of an initialised MCP session."""
    names = {tool.name for tool in (await session.list_tools()).tools}
    assert names == set(TOOLS.values()), names
    answers = []
    for method, request in asked:
        request = {**request, "limit": 100} if method == "list" else request
        result = await session.call_tool(TOOLS[method], request)
        data = result.model_dump(by_alias=True)
        answer = data["structuredContent"]
        answers.append({"error": answer} if data.get("isError") else answer)
    return answers


async def mcp_stdio(program: str, db: str, asked: list[tuple[str, Json]], clip: str, sound: bytes) -> list[Json]:
    import base64

    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    server = StdioServerParameters(command=program, args=["mcp", "--db", db], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        answers = await ask_tools(session, asked)
        # A hit links to its sound.
        query = {"query": [{"text": "a dog barks"}], "filter": {"path": "dog-barking.wav"}}
        found = await session.call_tool("search_sounds", query)
        links = [block for block in found.content if block.type == "resource_link"]
        assert len(links) == 1 and str(links[0].uri) == f"earmark://clips/{clip}/audio", found
        read_back = await session.read_resource(links[0].uri)
        assert base64.b64decode(read_back.contents[0].blob) == sound
        return answers


async def mcp_http(address: str, asked: list[tuple[str, Json]]) -> list[Json]:
    from mcp import ClientSession

    try:
        from mcp.client.streamable_http import streamable_http_client as client
    except ImportError:
        from mcp.client.streamable_http import streamablehttp_client as client

    async with client(f"{address}/mcp") as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        return await ask_tools(session, asked)


def differences(a: Json, b: Json, at: str = "") -> list[str]:
    """Where two answers differ, by path. Floats are compared to the bit that JSON shows."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for key in sorted(a.keys() | b.keys()):
            if key not in a or key not in b:
                found.append(f"{at}.{key}: only in one")
            else:
                found += differences(a[key], b[key], f"{at}.{key}")
        return found
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return [f"{at}: {len(a)} and {len(b)} items"]
        return [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, f"{at}[{i}]")]
    return [] if a == b else [f"{at}: {a!r} and {b!r}"]


def serve(program: str, db: str) -> tuple[subprocess.Popen[str], str]:
    server = subprocess.Popen(
        [program, "serve", "--db", db, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr
    for line in server.stderr:
        if line.startswith("listening on "):
            address = line.removeprefix("listening on ").strip().rstrip("/")
            break
    else:
        raise AssertionError("the server ended")
    # Its log must not fill the pipe.
    import threading

    threading.Thread(target=lambda: [None for _ in server.stderr or []], daemon=True).start()
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/readyz"):
                return server, address
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError("the server is not ready after a minute")


def main() -> None:
    program, folder = sys.argv[1], Path(sys.argv[2])
    os.environ.setdefault("EARMARK_FFMPEG", "")
    with tempfile.TemporaryDirectory() as temporary:
        sounds = Path(temporary) / "sounds"
        sounds.mkdir()
        for name in ["animals/dog-barking.wav", "weather/rain.flac", "alarms/siren-wail.mp3", "music/church-bell.flac"]:
            (sounds / Path(name).name).write_bytes((folder / name).read_bytes())
        (sounds / "copy.mp3").write_bytes((sounds / "siren-wail.mp3").read_bytes())
        write_softer(sounds / "dog-barking.wav", sounds / "softer.wav")
        db = str(Path(temporary) / "test.earmark")
        subprocess.run([program, "index", str(sounds), "--db", db, "--quiet"], check=True)
        clips = command_line(program, db, ["list"])["items"]
        ids = {clip["name"]: clip["id"] for clip in clips}
        all_cases = cases(ids, sounds)
        assert len(all_cases) == 25, len(all_cases)
        asked = [(method, request) for method, request, _ in all_cases]
        server, address = serve(program, db)
        python = Python(db)
        try:
            dog = (sounds / "dog-barking.wav").read_bytes()
            stdio = asyncio.run(mcp_stdio(program, db, asked, ids["dog-barking.wav"], dog))
            over_http = asyncio.run(mcp_http(address, asked))
            wrong: list[str] = []
            for i, (method, request, args) in enumerate(all_cases):
                answers = {
                    "HTTP": http(address, method, request),
                    "Python": python.ask(method, request),
                    "MCP": stdio[i],
                    "MCP over HTTP": over_http[i],
                }
                told = None
                if args is not None:
                    told = command_line(program, db, args)
                    if "error" not in answers["HTTP"]:
                        answers["command line"] = told
                wanted = answers.pop("HTTP")
                if "error" in wanted:
                    # Words differ by face; kinds and fields do not.
                    wanted["error"].pop("detail", None)
                    for answer in answers.values():
                        answer.get("error", {}).pop("detail", None)
                    assert told is None or "error" in told, told
                for face, answer in answers.items():
                    wrong += [
                        f"request {i + 1} ({method} {json.dumps(request)}): HTTP and {face} differ at {difference}"
                        for difference in differences(wanted, answer)
                    ]
            if wrong:
                raise SystemExit("\n".join(wrong))
            print(f"{len(all_cases)} requests: command line, HTTP, Python and MCP give the same answers")
        finally:
            python.close()
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
