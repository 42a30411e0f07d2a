"""The command `lipfd`: one name per task, served by the module `lipfd_jax.commands.NAME`.

lipfd COMMAND [FLAGS]
lipfd COMMAND --help

A command's module is imported only when it is named, so that `lipfd --help` needs no JAX.
"""

import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from lipfd_jax.runtime.interrupts import record_interrupts
from lipfd_jax.version import __version__

COMMANDS = {  # name of a module in lipfd_jax.commands, with define_flags() and main(argv): what it does
    "build": "Build TFDS records from AVLips or from your own videos",
    "splits": "Draw a train/validation/test split, or the folds of a cross-validation",
    "preprocess": "Write the composites of videos as PNGs",
    "convert": "Convert the released weights (.pth) into a checkpoint, or pack a checkpoint into few files",
    "export": "Export a checkpoint to ONNX, StableHLO or int8",
    "train": "Train a detector, or resume a run",
    "evaluate": "Score records or composites with a checkpoint and write a report",
    "metrics": "Compute the metrics of a scores file, without a model",
    "detect": "Detect lip-sync deepfakes in videos and write a report for each",
    "serve": "Serve a detection page and its API on this machine",
    "plan": "Estimate the memory and time of training on a TPU slice",
    "synthetic": "Draw a synthetic data set of talking heads and forgeries",
    "benchmark": "Measure where the time of this machine goes: decoding, faces, model, training",
    "demo": "Draw synthetic data, then build, train, evaluate and detect with a small detector",
}
_HELP_FLAGS = {"--help", "-h", "--helpshort", "--helpfull"}


def main() -> None:
    """Runs the command that the first argument names; without one, or with --help, lists the commands."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal can't show must not end the work
            stream.reconfigure(errors="backslashreplace")
    try:
        with record_interrupts():  # for the command; a library may swallow one while it is imported
            _run_arguments(*sys.argv[1:])
    except KeyboardInterrupt:  # commands that keep something say so themselves
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _run_arguments(*arguments: str) -> None:
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(list_commands())
    elif arguments[0] == "--version":
        print(__version__)
    else:
        run_command(*arguments)


def list_commands() -> str:
    """Returns the usage text, with one line per command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {line}" for name, line in COMMANDS.items()]
    return "\n".join(
        ["usage: lipfd COMMAND [FLAGS]", "", *lines, "", "lipfd COMMAND --help shows a command's flags."]
    )


def run_command(command: str, *arguments: str) -> None:
    """Runs a command with its flags; exits with one line for an unknown command, flag or setting."""
    if command not in COMMANDS:
        sys.exit(f"error: no command {command!r}{_suggest(command)}; lipfd --help lists them")
    module = import_command(command)
    from absl import app, flags

    sys.argv = [f"lipfd {command}", *arguments]  # where absl and ml_collections look
    module.define_flags()
    if _HELP_FLAGS & set(arguments):
        print(format_help(module, flags.FLAGS))
        return

    def run_main(argv: list[str]) -> int | None:
        try:
            return module.main(argv)
        except app.UsageError as error:
            sys.exit(f"{format_help(module, flags.FLAGS)}\nerror: {error}")

    app.run(run_main, argv=sys.argv, flags_parser=_parse)


def import_command(command: str) -> ModuleType:
    """Returns the module of a command, which defines `define_flags` and `main`."""
    return importlib.import_module(f"lipfd_jax.commands.{command}")


def format_help(module: ModuleType, values: Any) -> str:
    """Returns the docstring of a command's module and the flags that it has defined in `values`."""
    return f"{(module.__doc__ or '').strip()}\n\nflags:\n{values.module_help(module)}"


def _parse(argv: list[str]) -> list[str]:
    """Parses the flags; a misspelt flag or --config.SETTING is an error of one line."""
    from absl import flags

    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        files = [name for name in argv[1:] if name.startswith("-") and os.path.exists(name)]
        hint = f"; for the file, write ./{files[0]}" if files else ""
        sys.exit(f"error: {error}{hint}\n{argv[0]} --help lists the flags")
    except AttributeError as error:  # ml_collections: a KeyError inside names the setting and its likes
        text = error.args[0].args[0] if isinstance(error.args[0], KeyError) else str(error)
        sys.exit("error: no such setting: " + " ".join(text.splitlines()))


def _suggest(command: str) -> str:
    nearest: Sequence[str] = difflib.get_close_matches(command, COMMANDS, n=1)
    return f": did you mean {nearest[0]}?" if nearest else ""


if __name__ == "__main__":
    main()
