"""The commands that benchmarks.faults disturbs, on small data, and what they leave behind, as sums."""

import dataclasses
import hashlib
import json
import pathlib
import sys
from collections.abc import Callable

import numpy as np
from absl import logging
from flax import traverse_util

SETTINGS = (
    "--config=lipfd:tiny",
    *("--config.steps=6", "--config.batch_size=4", "--config.log_every=1", "--config.evaluate_every=3"),
    *(
        "--config.checkpoint_every=2",
        "--config.model.encoder=vit_tiny",
        "--config.model.backbone=resnet_tiny",
    ),
    *("--config.model.inputs.picture_size=80", "--config.model.inputs.crop_size=32"),
    *("--config.optimizer.warmup_steps=2", "--config.data.builder_config=avlips", "--config.data.threads=1"),
)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command on a folder of its own, and the sum of what it leaves."""

    name: str
    inputs: tuple[str, ...]  # folders below the shared inputs that it reads, copied into its own
    run: Callable[[pathlib.Path], None]
    result: Callable[[pathlib.Path], str]


def _lipfd(*arguments: str) -> None:
    from lipfd_jax import cli

    cli.run_command(*arguments)


def _build(folder: pathlib.Path) -> None:
    _lipfd("build", f"--manual_dir={folder}/clips", f"--data_dir={folder}/records", "--workers=1")


def _records(folder: pathlib.Path) -> str:
    """The sums of the shards, checked as `--verify` does. Raises BuildError for a damaged one."""
    from datasets_tfds import report

    made = folder / "records" / "avlips" / "avlips" / "1.0.0"
    damaged = report.find_damaged_shards(made)
    if damaged:
        raise report.BuildError("\n".join(damaged))
    said = report.read_report(made)
    return _sum(json.dumps([said["shards"], said["problems"]], sort_keys=True).encode())


def _convert(folder: pathlib.Path) -> None:
    from lipfd_jax.checkpoints.errors import CheckpointError
    from lipfd_jax.checkpoints.released import RELEASED_MODEL, convert_released
    from lipfd_jax.models.lipfd import ModelConfig

    logging.set_verbosity(logging.FATAL)  # as the command does
    inputs = dataclasses.replace(RELEASED_MODEL.inputs, picture_size=280)
    tiny = ModelConfig("vit_tiny", "resnet_tiny", inputs)
    if (folder / "weights").exists():
        print(f"{folder / 'weights'}: there already")
        return
    try:
        convert_released(folder / "pth" / "tiny.pth", folder / "weights", config=tiny)
    except (CheckpointError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _train(folder: pathlib.Path) -> None:
    _lipfd("train", *SETTINGS, f"--workdir={folder}/run", f"--config.data.path={folder}/records")


def _evaluate(folder: pathlib.Path) -> None:
    data, output = f"--data={folder}/records", f"--output={folder}/evaluation"
    _lipfd("evaluate", f"--checkpoint={folder}/run", data, output, "--batch_size=4")


def _weights(folder: pathlib.Path) -> str:
    """The sum of all weights. Raises CheckpointError for damage."""
    from flax import nnx

    from lipfd_jax.checkpoints.store import open_model

    flat = traverse_util.flatten_dict(nnx.to_pure_dict(nnx.state(open_model(folder).model)))
    named = {str(path): np.asarray(value) for path, value in flat.items()}
    return _sum(b"".join(name.encode() + named[name].tobytes() for name in sorted(named)))


def _scores(folder: pathlib.Path) -> str:
    output = folder / "evaluation"
    return _sum(b"".join((output / name).read_bytes() for name in ("scores.csv", "metrics.json")))


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


COMMANDS = {
    command.name: command
    for command in (
        Command("build", ("clips",), _build, _records),
        Command("convert", ("pth",), _convert, lambda folder: _weights(folder / "weights")),
        Command("train", ("records",), _train, lambda folder: _weights(folder / "run")),
        Command("evaluate", ("records", "run"), _evaluate, _scores),
    )
}


def prepare(shared: pathlib.Path) -> None:
    """Makes the inputs of all commands below `shared`: clips, records, weights and a finished run."""
    from datasets_tfds.avlips.make_dummy_data import write_clips
    from lipfd_jax.checkpoints.released import RELEASED_MODEL
    from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
    from tests.checkpoints.pth.pth_files import write_pth
    from tests.checkpoints.test_tables import released

    write_clips(shared / "clips", ("dummy0", "dummy1", "dummy5", "dummy15"))
    inputs = dataclasses.replace(RELEASED_MODEL.inputs, picture_size=280)
    shapes = traverse_util.flatten_dict(abstract_weights(ModelConfig("vit_tiny", "resnet_tiny", inputs)))
    draw = np.random.default_rng(0)
    weights = {path: draw.random(shape.shape, np.float32) for path, shape in shapes.items()}
    (shared / "pth").mkdir()
    write_pth(shared / "pth" / "tiny.pth", released(traverse_util.unflatten_dict(weights)))
