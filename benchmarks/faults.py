"""Disturbs commands at random, runs them again, and counts how that ends.

python -m benchmarks.faults [--rounds=200] [--commands=build,convert,train,evaluate] [--results=FILE]

A round draws a command and a fault: the process is killed (SIGKILL, SIGTERM) at a random write, the disk is
full or can't be read for a moment, a bit of a random file flips, or the command starts twice at once. Then
the same command runs again. It should end in the result of an undisturbed run or in an error that names the
file. Reads and writes are disturbed by a library loaded before all others (faults.c: Linux, a C compiler).
With --results every round is noted in a file as it ends, and the counts are of all rounds noted there.
"""

import argparse
import collections
import contextlib
import dataclasses
import json
import mmap
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

from benchmarks.fault_commands import COMMANDS, Command, prepare

KINDS = {"ENOSPC": 1, "EIO": 2, "SIGKILL": 3, "SIGTERM": 4}
FAULTS = (*KINDS, "bit", "twice")
_LIMIT = 300  # seconds one command may take
_NEVER = 1 << 30


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """A command that nothing disturbed."""

    result: str
    reads: int  # calls below its folder
    writes: int


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int  # exit code; negative: the signal; -SIGALRM: it hung
    said: str


class Bench:
    """Runs functions in forked processes, whose imports are done, with or without a fault."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        file = open(os.environ["FAULTS_PLAN"], "r+b")  # noqa: SIM115 it lives as long as the process
        self._plan = mmap.mmap(file.fileno(), 12)

    def arm(self, fault: str, wait: int, last: int) -> None:
        """Lets the next `last` reads or writes after `wait` of them fail or kill."""
        self._plan[:] = struct.pack("iii", KINDS[fault], wait, last)

    def disarm(self) -> int:
        """Lets everything pass; returns how many calls `wait` has left."""
        left = struct.unpack("iii", self._plan[:])[1]
        self._plan[:] = struct.pack("iii", 0, 0, 0)
        return left

    def count(self, function: Callable[[], object], fault: str) -> int:
        """Runs a function and returns how many reads or writes this fault could hit."""
        self.arm(fault, _NEVER, 0)
        _must(self.run(function, "counted"))
        return _NEVER - self.disarm()

    def start(self, function: Callable[[], object], log: pathlib.Path) -> int:
        """Forks a process that calls a function, its output in a file; returns the process's number."""
        number = os.fork()
        if number:
            return number
        code = 1
        try:
            os.setsid()
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for descriptor in (1, 2):
                os.dup2(output, descriptor)
            signal.alarm(_LIMIT)
            function()
            code = 0
        except SystemExit as error:
            print(error.code if isinstance(error.code, str) else "", file=sys.stderr)
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def wait(self, number: int, log: pathlib.Path) -> Ended:
        """Waits for a process, and ends what it left running."""
        status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(number, signal.SIGKILL)
        return Ended(status, log.read_text(errors="replace"))

    def run(self, function: Callable[[], object], name: str) -> Ended:
        """Calls a function in a process of its own."""
        log = self.folder.parent / f"{name}.log"
        return self.wait(self.start(function, log), log)


def disturbed(
    bench: Bench, command: Command, usual: Undisturbed, fault: str, draw: random.Random, work: pathlib.Path
) -> str:
    """Runs a command with a fault; returns what was done."""

    def call() -> None:
        command.run(work)

    if fault == "twice":
        logs = [bench.folder.parent / f"twice{number}.log" for number in range(2)]
        started = [bench.start(call, log) for log in logs]
        codes = [bench.wait(number, log).code for number, log in zip(started, logs, strict=True)]
        return f"twice, exit codes {codes}"
    if fault == "bit":
        half_way = draw.random() < 0.5
        if half_way:
            bench.arm("SIGKILL", draw.randrange(usual.writes), 1)
        bench.run(call, "first")
        bench.disarm()
        files = [path for path in sorted(work.rglob("*")) if path.is_file() and path.stat().st_size]
        path = draw.choice(files)
        data = bytearray(path.read_bytes())
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        return f"a bit of {path.relative_to(work)}, {'half way' if half_way else 'at the end'}"
    calls = usual.reads if fault == "EIO" else usual.writes
    wait, last = draw.randrange(calls), draw.choice((1, 10, 1000))
    bench.arm(fault, wait, 1 if fault.startswith("SIG") else last)
    ended = bench.run(call, "first")
    bench.disarm()
    crashed = ", in a traceback" * _crashed(ended.said)
    return f"{fault} {last} times after {wait}, exit code {ended.code}{crashed}"


def judged(bench: Bench, command: Command, work: pathlib.Path, expected: str, done: str) -> str:
    """How the same command ends after a fault, in words; `done` says what was done before."""
    again = bench.run(lambda: command.run(work), "again")
    result = work.parent / "result"
    result.unlink(missing_ok=True)
    looked = bench.run(lambda: result.write_text(command.result(work)), "looked")
    text = again.said + looked.said
    if again.code == -signal.SIGALRM:
        return "hung"
    if again.code and _crashed(again.said):
        return "a traceback"
    if again.code == 0 and looked.code == 0 and result.read_text() == expected:
        return "undisturbed result"
    names = done.startswith("a bit of") and pathlib.Path(done.split(",")[0][9:])
    if names and not _names(text, names, work):
        return "not noticed" if again.code == 0 and looked.code == 0 else "an error without the file's name"
    if again.code == 0 and looked.code == 0 and not names:
        return "another result"
    return "an error that names the file" if str(work) in text else "an error without the file's name"


def _crashed(said: str) -> bool:
    """Whether a traceback has the last word; libraries log some before the error that we give."""
    _, found, rest = said.rpartition("Traceback (most recent call last)")
    return bool(found) and "\nerror: " not in rest


def _names(text: str, path: pathlib.Path, work: pathlib.Path) -> bool:
    """Whether a text names a file, or the folder of a checkpoint or build that it is a part of."""
    parents = [parent for parent in path.parents if len(parent.parts) >= 2]
    return (
        any(str(work / part) in text for part in (path, *parents)) or path.name in text or path.stem in text
    )


def main() -> None:
    """Prints a line for each round that ended otherwise than it should, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--results", type=pathlib.Path, help="notes of all rounds, a line of JSON each")
    given = parser.parse_args()
    if "FAULTS_PLAN" not in os.environ:
        sys.exit(_below_the_library(sys.argv[1:]))
    import lipfd_jax.commands.evaluate
    import lipfd_jax.commands.train  # noqa: F401 imported once, before anything is forked

    shared = pathlib.Path(os.environ["FAULTS_FOLDER"]).parent / "shared"
    work = pathlib.Path(os.environ["FAULTS_FOLDER"])
    bench, names = Bench(work), given.commands.split(",")
    usual = _prepared(bench, shared, names)
    noted = _noted(given.results)
    counts = collections.Counter((note["command"], note["fault"], note["outcome"]) for note in noted)
    done_before = {(note["seed"], note["commands"], note["round"]) for note in noted}
    for number in range(given.rounds):
        if (given.seed, given.commands, number) in done_before:
            continue
        draw = random.Random(f"{given.seed}/{number}")
        command, fault = COMMANDS[names[number % len(names)]], FAULTS[number // len(names) % len(FAULTS)]
        _copy_inputs(command, shared, work)
        started = time.monotonic()
        done = disturbed(bench, command, usual[command.name], fault, draw, work)
        outcome = judged(bench, command, work, usual[command.name].result, done)
        counts[command.name, fault, outcome] += 1
        seconds = time.monotonic() - started
        print(f"{number} {command.name}: {done}: {outcome} ({seconds:.0f} s)", flush=True)
        if given.results:
            note = {"seed": given.seed, "commands": given.commands, "round": number, "command": command.name}
            note |= {"fault": fault, "done": done, "outcome": outcome}
            with open(given.results, "a") as file:
                file.write(json.dumps(note) + "\n")
        if outcome not in ("undisturbed result", "an error that names the file"):
            for name in ("again", "looked"):
                print("    " + (work.parent / f"{name}.log").read_text(errors="replace")[-600:], flush=True)
    for (name, fault, outcome), count in sorted(counts.items()):
        print(f"{count:4} {name:9} {fault:8} {outcome}")
    print(json.dumps(dict(collections.Counter(outcome for _, _, outcome in counts.elements()))))


def _noted(results: pathlib.Path | None) -> list[dict]:
    if results is None or not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines()]


def _prepared(bench: Bench, shared: pathlib.Path, names: list[str]) -> dict[str, Undisturbed]:
    """Makes the inputs and runs every command twice undisturbed; returns what that gives."""
    shared.mkdir()
    _must(bench.run(lambda: prepare(shared), "prepare"))
    sums = {}
    for name, command in COMMANDS.items():
        if name in names or name in ("build", "train"):  # whose results others need
            calls = []
            for fault in ("EIO", "ENOSPC"):
                _copy_inputs(command, shared, bench.folder)
                calls.append(bench.count(lambda command=command: command.run(bench.folder), fault))
            result = shared / f"{name}.sum"
            _must(bench.run(lambda c=command, r=result: r.write_text(c.result(bench.folder)), "looked"))
            sums[name] = Undisturbed(result.read_text(), *calls)
            print(f"{name}: {calls[0]} reads and {calls[1]} writes below its folder", flush=True)
            for made in {"build": "records", "train": "run"}.get(name, "").split():
                shutil.copytree(bench.folder / made, shared / made)
    return sums


def _must(ended: Ended) -> None:
    if ended.code:
        sys.exit(f"an undisturbed run failed:\n{ended.said}")


def _copy_inputs(command: Command, shared: pathlib.Path, work: pathlib.Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for name in command.inputs:
        shutil.copytree(shared / name, work / name)


def _below_the_library(arguments: list[str]) -> int:
    """Runs this module again with the library that disturbs reads and writes loaded before all others."""
    source = pathlib.Path(__file__).with_suffix(".c")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-o", folder / "faults.so", source, "-ldl"], check=True
        )
        (folder / "plan").write_bytes(bytes(12))
        environment = os.environ | {
            "LD_PRELOAD": str(folder / "faults.so"),
            "FAULTS_PLAN": str(folder / "plan"),
            "FAULTS_FOLDER": str(folder / "work"),
        }
        command = [sys.executable, "-m", "benchmarks.faults", *arguments]
        return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    main()
