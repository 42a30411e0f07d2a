"""Throws bad uploads at `lipfd serve`, many at a time: what it answers, and whether it stays small and awake.

python -m benchmarks.uploads --checkpoint=DIR --video=CLIP [--count=200]
"""

import asyncio
import collections
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator

from absl import app, flags

from benchmarks.processes import memory_of_tree

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "that the server opens", required=True)
_VIDEO = flags.DEFINE_string("video", None, "a good clip, scored at the end", required=True)
_COUNT = flags.DEFINE_integer("count", 200, "bad uploads at a time")
_QUEUE = flags.DEFINE_integer("queue", 8, "of the server")
_SECONDS = flags.DEFINE_float("seconds", 30, "that the slow ones last, unless the server ends them")

LIMIT = 2_000_000  # bytes that the server is told to take
SCRIPT = "<script>alert(1)</script>.mp4"
HEAD = "POST /api/videos?name={name} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/octet-stream\r\n"
# kind: name, further headers, whether the Host is the server's
KINDS = {
    "empty": ("a.mp4", "Content-Length: 0\r\n"),
    "text": ("a.mp4", "Content-Length: 12\r\n"),
    "cut off mp4": ("a.mp4", "Content-Length: {half}\r\n"),
    "too large, said": ("a.mp4", f"Content-Length: {LIMIT * 3}\r\n"),
    "too large, not said": ("a.mp4", "Transfer-Encoding: chunked\r\n"),
    "more than said": ("a.mp4", "Content-Length: 5\r\n"),
    "less than said": ("a.mp4", "Content-Length: 1000\r\n"),
    "dripping": ("a.mp4", "Content-Length: 100000\r\n"),
    "half a head": ("a.mp4", ""),
    "silent": ("a.mp4", ""),
    "noise": ("a.mp4", ""),
    "path for a name": ("../../../../etc/cron.d/x", "Content-Length: 12\r\n"),
    "script for a name": (SCRIPT, "Content-Length: 12\r\n"),
    "other host": ("a.mp4", "Content-Length: 12\r\n"),
    "other origin": ("a.mp4", "Content-Length: 12\r\nOrigin: http://evil.example\r\n"),
    "form": ("a.mp4", "Content-Length: 12\r\n"),
}


async def body(kind: str, clip: bytes, seconds: float) -> AsyncIterator[bytes]:
    """What follows the head."""
    if kind == "cut off mp4":
        yield clip[: len(clip) // 2]
    elif kind == "too large, said":
        for _ in range(3 * LIMIT // 50_000):
            yield b"\0" * 50_000
    elif kind == "too large, not said":
        for _ in range(400):
            yield b"c350\r\n" + b"\0" * 50_000 + b"\r\n"
    elif kind == "more than said":
        yield b"x" * 5 + b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" * 50
    elif kind == "dripping":
        for _ in range(int(seconds)):
            yield b"x"
            await asyncio.sleep(1)
    elif kind in ("less than said", "half a head", "silent"):
        yield b"x" if kind == "less than said" else b""
        await asyncio.sleep(seconds)
    elif kind != "empty":
        yield b"not a video\n"


def head(kind: str, host: str, clip: bytes) -> bytes:
    """The request up to the empty line; less of it, or none, where that is the fault."""
    name, further = KINDS[kind]
    if kind in ("silent", "noise"):
        return b"" if kind == "silent" else random.randbytes(2000)
    lines = HEAD.format(
        name=urllib.parse.quote(name), host="evil.example" if kind == "other host" else host
    ) + further.format(half=len(clip) // 2)
    if kind == "form":
        lines = lines.replace("application/octet-stream", "multipart/form-data; boundary=b")
    return (lines if kind == "half a head" else lines + "\r\n").encode()


async def bad(kind: str, port: int, clip: bytes, seconds: float) -> str:
    """One bad upload; the status that comes back, or what else happened."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.readline())
    try:
        writer.write(head(kind, f"127.0.0.1:{port}", clip))
        async for piece in body(kind, clip, seconds):
            if answer.done():
                break
            writer.write(piece)
            await writer.drain()
        line = await asyncio.wait_for(answer, seconds)
        return line.split()[1].decode() if line else "closed"
    except (ConnectionError, TimeoutError) as error:
        return "reset" if isinstance(error, ConnectionError) else "nothing"
    finally:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
        writer.close()


class Watched:
    """How long the server takes to answer meanwhile, and how much it holds."""

    def __init__(self, process: int, folder: pathlib.Path, address: str):
        self._process, self._folder, self._address = process, folder, address
        self.waits: list[float] = []
        self.memory = self.disk = 0

    def watch(self, done: threading.Event) -> None:
        """Looks five times a second."""
        while not done.wait(0.2):
            begin = time.perf_counter()
            get(f"{self._address}/api/limits")
            self.waits.append(time.perf_counter() - begin)
            self.memory = max(self.memory, memory_of_tree(self._process))
            self.disk = max(self.disk, held(self._folder))


def get(url: str) -> dict:
    """The JSON at an address."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def held(folder: pathlib.Path) -> int:
    """Bytes of all files below a folder, as far as they stay there while they are counted."""
    total = 0
    for place, _, names in os.walk(folder):  # passes over what goes meanwhile
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


async def attack(port: int, watched: Watched) -> dict[str, collections.Counter]:
    """All bad uploads at once; what came back, by kind."""
    clip = pathlib.Path(_VIDEO.value).read_bytes()
    kinds = [kind for _, kind in zip(range(_COUNT.value), [*KINDS] * _COUNT.value, strict=False)]
    random.shuffle(kinds)
    done = threading.Event()
    watching = threading.Thread(target=watched.watch, args=(done,))
    watching.start()
    answers = await asyncio.gather(*(bad(kind, port, clip, _SECONDS.value) for kind in kinds))
    done.set()
    await asyncio.to_thread(watching.join)
    found: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for kind, answer in zip(kinds, answers, strict=True):
        found[kind][answer] += 1
    return found


def judged(address: str) -> dict:
    """What becomes of the good clip."""
    while True:
        request = urllib.request.Request(
            f"{address}/api/videos?name=good.mp4",
            pathlib.Path(_VIDEO.value).read_bytes(),
            {"Content-Type": "application/octet-stream"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                key = json.load(answer)["id"]
            break
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(1)
    while (video := get(f"{address}/api/videos/{key}"))["state"] not in ("done", "failed"):
        time.sleep(0.2)
    return video


def report(watched: Watched, before: int, spent: float) -> None:
    """Prints what was seen meanwhile."""
    waits = sorted(watched.waits)
    print(f"{_COUNT.value} at once, {spent:.1f} s; meanwhile {len(waits)} answers,", end=" ")
    print(f"median {1000 * waits[len(waits) // 2]:.0f} ms, longest {1000 * waits[-1]:.0f} ms")
    print(f"memory of all processes: {before >> 20} MB before, at most {watched.memory >> 20} MB", end="; ")
    print(f"on disk at most {watched.disk / 1e6:.1f} MB")


def main(_: list[str]) -> None:
    """Starts a server, attacks it, asks it for one good result and ends it."""
    command = [sys.executable, "-m", "lipfd_jax", "serve", f"--checkpoint={_CHECKPOINT.value}"]
    command += ["--port=0", f"--megabytes={LIMIT / 1e6}", "--max_windows=5", "--refined=0"]
    command.append(f"--queue={_QUEUE.value}")
    with tempfile.TemporaryDirectory() as place:
        folder, own = pathlib.Path(place), os.environ | {"TMPDIR": place}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own) as server:
            try:
                line = next(line for line in server.stdout if line.startswith("ready"))
                exercise(server.pid, line.split()[1].rstrip("/"), folder)
            finally:
                server.terminate()
            print(f"ended with {server.wait(30)}; left: {[p.name for p in folder.glob('lipfd-serve-*')]}")


def exercise(process: int, address: str, folder: pathlib.Path) -> None:
    """Attacks a running server and asks it for one good result."""
    before, begin = memory_of_tree(process), time.perf_counter()
    watched = Watched(process, folder, address)
    found = asyncio.run(attack(int(address.rpartition(":")[2]), watched))
    for kind, answers in sorted(found.items()):
        print(f"{kind:20}  " + ", ".join(f"{answer}: {count}" for answer, count in sorted(answers.items())))
    report(watched, before, time.perf_counter() - begin)
    good = judged(address)
    print(f"then a good clip: {good['state']}, {(good['verdict'] or {}).get('title', good['reason'])}")


if __name__ == "__main__":
    app.run(main)
