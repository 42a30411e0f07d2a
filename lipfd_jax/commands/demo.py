"""Shows that the whole path works, on drawn people: lipfd demo --output=DIR.

Draws talking heads and forgeries, builds records, trains a small detector, evaluates it and judges one of the
forgeries: the five commands that it prints. Stopped at any point, the same command goes on. Minutes on two
cores. The score says nothing about real forgeries.
"""

import shlex
import subprocess
import sys
from pathlib import Path

from absl import app, flags

NOTE = "Drawn people, drawn forgeries: this score says nothing about real ones."


def main(argv: list[str]) -> None:
    """Runs the commands one after the other; ends with the exit code of one that fails."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    folder = Path(flags.FLAGS.output)
    for command in commands(folder, flags.FLAGS.seed, flags.FLAGS.identities, flags.FLAGS.steps):
        if code := _run(command):
            sys.exit(code)
    if _run(detection(folder)) == 1:  # any other code tells the outcome
        sys.exit(1)
    print(f"\n{NOTE}\ntraining curves: {folder}/run/curves.png\nreport: {folder}/evaluation/report.html")


def _run(command: list[str]) -> int:
    """Runs a command of lipfd and returns its exit code."""
    print(f"\n$ lipfd {shlex.join(command)}", flush=True)
    try:
        return subprocess.run([sys.executable, "-m", "lipfd_jax.cli", *command], check=False).returncode
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")


def detection(folder: Path) -> list[str]:
    """Returns the command that judges one of the drawn forgeries; drawn faces are cut already."""
    forged = min((folder / "AVLips" / "1_fake").glob("*.mp4"))
    sound = folder / "AVLips" / "wav" / "1_fake" / f"{forged.stem}.wav"
    given = [f"--checkpoint={folder / 'run'}", f"--sound={sound}", f"--output={folder / 'detected'}"]
    return ["detect", str(forged), *given, "--crop=none"]


def commands(folder: Path, seed: int, identities: int, steps: int) -> list[list[str]]:
    """Returns the commands that are left to do, without the leading `lipfd`.

    Drawing is left out where it was finished before; the others see themselves what they have done.
    """
    videos, data, run = folder / "AVLips", folder / "data", folder / "run"
    draw = ["synthetic", f"--output={videos}", f"--identities={identities}", f"--seed={seed}"]
    build = ["build", f"--manual_dir={videos}", f"--data_dir={data}", "--noheld_out"]
    train = ["train", "--config=demo", f"--workdir={run}", f"--config.data.path={data}"]
    return [
        *([] if (videos / "clips.csv").exists() else [draw]),
        [*build, "--fractions=0.7,0.05,0.25"],
        [*train, f"--config.seed={seed}", f"--config.steps={steps}"],
        ["evaluate", f"--checkpoint={run}", f"--data={data}", f"--output={folder / 'evaluation'}"],
    ]


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("output", "demo", "Folder for everything.")
    flags.DEFINE_integer("seed", 0, "Another seed draws other people and trains differently.", lower_bound=0)
    flags.DEFINE_integer("identities", 80, "How many people are drawn.", lower_bound=1)
    flags.DEFINE_integer("steps", 150, "Training steps.", lower_bound=1)


if __name__ == "__main__":
    define_flags()
    app.run(main)
