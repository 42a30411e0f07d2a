"""The command lipfd: one name for each task, whose module is imported only when it is asked for.

lipfd COMMAND [FLAGS]
lipfd COMMAND --help
"""

import difflib
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from lipfd_jax.version import __version__

COMMANDS = {  # name: module with define_flags() and main(argv), what it does in a line
    "build": ("datasets_tfds.build", "Build records (TFDS) from AVLips or from videos of your own"),
    "preprocess": ("lipfd_jax.commands.preprocess", "Write the composites of videos as PNGs"),
    "convert": ("lipfd_jax.commands.convert", "Turn the released weights (.pth) into a checkpoint"),
    "export": ("lipfd_jax.commands.export", "Write a checkpoint for other engines: ONNX, StableHLO, int8"),
    "train": ("lipfd_jax.commands.train", "Train a detector, or go on with a run"),
    "evaluate": (
        "lipfd_jax.commands.evaluate",
        "Score records or composites with a checkpoint, write a report",
    ),
    "metrics": ("lipfd_jax.commands.metrics", "Compute the metrics of a scores file, without a model"),
    "detect": ("lipfd_jax.commands.detect", "Judge videos with a checkpoint, write a report of each"),
    "serve": ("lipfd_jax.commands.serve", "Judge videos in a page on this machine, or through its API"),
    "plan": ("lipfd_jax.commands.plan", "Say what training would need and cost on a TPU slice"),
    "synthetic": ("lipfd_jax.commands.synthetic", "Draw talking heads and forgeries to try things with"),
    "demo": ("lipfd_jax.commands.demo", "Draw data, build, train and evaluate a small detector"),
}


def main() -> None:
    """Runs the command named first; without one, or with --help, lists them."""
    _, *given = sys.argv
    if not given or given[0] in ("--help", "-h", "help"):
        print(overview())
        return
    if given[0] == "--version":
        print(__version__)
        return
    run(*given)


def overview() -> str:
    """Returns the list of commands, a line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join(
        ["usage: lipfd COMMAND [FLAGS]", "", *lines, "", "lipfd COMMAND --help shows a command's flags."]
    )


def run(command: str, *arguments: str) -> None:
    """Runs a command with the flags of its module, as `python -m MODULE` does."""
    if command not in COMMANDS:
        sys.exit(f"error: no command {command!r}{_nearest(command)}; lipfd --help lists them")
    module = importlib.import_module(COMMANDS[command][0])
    from absl import app, flags

    sys.argv = [f"lipfd {command}", *arguments]  # where absl and ml_collections look
    module.define_flags()
    if {"--help", "-h", "--helpshort", "--helpfull"} & set(arguments):
        print(help_text(module, flags.FLAGS))
        return
    app.run(module.main, argv=sys.argv, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    """Parses the flags; a misspelt setting is an error of one line, like a misspelt flag."""
    from absl import app

    try:
        return app.parse_flags_with_usage(argv)
    except AttributeError as error:  # ml_collections: a KeyError in it names the setting and what it is like
        text = error.args[0].args[0] if isinstance(error.args[0], KeyError) else str(error)
        sys.exit("error: no such setting: " + " ".join(text.splitlines()))


def help_text(module: ModuleType, values: object) -> str:
    """Returns what a module says it is for, and the flags it has defined in `values`."""
    return f"{module.__doc__.strip()}\n\nflags:\n{values.module_help(module)}"


def _nearest(command: str) -> str:
    found: Sequence[str] = difflib.get_close_matches(command, COMMANDS, n=1)
    return f": did you mean {found[0]}?" if found else ""


if __name__ == "__main__":
    main()
