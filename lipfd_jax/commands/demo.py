"""Runs the whole pipeline on synthetic data: lipfd demo --output=DIR.

Draws talking heads and forgeries, builds records, trains a small detector, evaluates it and runs it on one of
the forgeries, with the commands it prints. Takes minutes on two cores; an interrupted demo resumes, and other
settings than a folder's own are refused (--overwrite starts anew). The data are synthetic, so the score says
nothing about real deepfakes.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from absl import app, flags

from lipfd_jax.storage.claims import claim_note

_NOTE = "demo.json"  # the settings of a folder's demo
_PARTS = ("AVLips", "data", "run", "evaluation", "detected")
NOTE = "The data are synthetic: this score says nothing about real deepfakes."


def main(argv: list[str]) -> None:
    """Runs the commands in order; exits with the code of one that fails."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    given = flags.FLAGS
    folder = Path(given.output)
    try:
        claim_folder(
            folder,
            {"seed": given.seed, "identities": given.identities, "steps": given.steps},
            overwrite=given.overwrite,
        )
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    for command in list_commands(folder, given.seed, given.identities, given.steps):
        if code := _run_command(command):
            sys.exit(code)
    if _run_command(make_detect_command(folder)) == 1:  # its other exit codes are outcomes
        sys.exit(1)
    print(f"\n{NOTE}\ntraining curves: {folder}/run/curves.png\nreport: {folder}/evaluation/report.html")


def claim_folder(folder: Path, wanted: Mapping[str, int], *, overwrite: bool) -> None:
    """Notes the settings of a demo in its folder; removes an earlier demo with `overwrite`.

    Raises:
      ValueError: the folder holds a demo of other settings, or one of an earlier version.
      OSError: the folder can't be written to.
    """
    if overwrite:
        for part in (*_PARTS, _NOTE):
            path = folder / part
            path.unlink(missing_ok=True) if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    note = folder / _NOTE
    if not note.exists() and (folder / _PARTS[0] / "clips.csv").exists():
        raise ValueError(
            f"{folder}: holds a demo of unknown settings, made by an earlier version; give another --output, "
            "or --overwrite to start anew"
        )
    folder.mkdir(parents=True, exist_ok=True)
    claim_note(note, wanted, lambda found: _find_conflict(found, wanted))


def _find_conflict(found: Mapping[str, object], wanted: Mapping[str, int]) -> str:
    """Settings in which a folder's demo differs; "" for none."""
    changed = [name for name, value in wanted.items() if found.get(name) != value]
    different = " and ".join(f"--{name}={found.get(name)}, not {wanted[name]}" for name in changed)
    return different and f"holds a demo made with {different}"


def _run_command(command: list[str]) -> int:
    """Runs a command of lipfd and returns its exit code."""
    print(f"\n$ lipfd {shlex.join(command)}", flush=True)
    try:
        return subprocess.run([sys.executable, "-m", "lipfd_jax", *command], check=False).returncode
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to resume")


def list_commands(folder: Path, seed: int, identities: int, steps: int) -> list[list[str]]:
    """Returns the commands before `make_detect_command`, without the leading `lipfd`.

    Leaves drawing out where it has finished; the other commands resume by themselves.
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


def make_detect_command(folder: Path) -> list[str]:
    """Returns the command that runs detection on one of the forgeries, whose frames are cropped already."""
    fake = min((folder / "AVLips" / "1_fake").glob("*.mp4"))
    sound = folder / "AVLips" / "wav" / "1_fake" / f"{fake.stem}.wav"
    paths = [f"--checkpoint={folder / 'run'}", f"--sound={sound}", f"--output={folder / 'detected'}"]
    return ["detect", str(fake), *paths, "--crop=none"]


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("output", "demo", "Folder for all data and results.")
    flags.DEFINE_integer("seed", 0, "Seed of the drawn people and of the training.", lower_bound=0)
    flags.DEFINE_integer("identities", 80, "Number of drawn people.", lower_bound=1)
    flags.DEFINE_integer("steps", 150, "Training steps.", lower_bound=1)
    flags.DEFINE_bool("overwrite", False, "Remove an earlier demo in the folder and start anew.")
