"""Training runs: they learn, stop, resume exactly, and say what went wrong."""

import dataclasses
import errno
import json
import os
import shutil
import subprocess

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from lipfd_jax.checkpoints.folders import find_checkpoint, read_metadata
from lipfd_jax.checkpoints.pretrained import settings_for
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.models.inputs import Inputs
from lipfd_jax.models.lipfd import abstract_weights
from lipfd_jax.runtime.mesh import make_mesh
from lipfd_jax.storage.locks import InUseError, lock_folder
from lipfd_jax.training import checkpointer, metrics_log
from lipfd_jax.training.checkpointer import RunCheckpointer
from lipfd_jax.training.loop import Diverged, train
from lipfd_jax.training.state import make_recipe
from tests.checkpoints.pth.pth_files import write_pth
from tests.checkpoints.test_tables import huggingface, torchvision
from tests.tiny_networks import MEAN, TINY

LONG = {"steps": 25, "batch_size": 8}
PARTLY = {"ema": 0.9, "trained_blocks": 1, "accumulate": 2}


def after(last):
    """Stops a run after that step."""
    return lambda step: step == last


def _losses(workdir):
    return {line["step"]: line["loss"] for line in metrics_log.read_log(workdir) if "loss" in line}


def _leaves(checkpoint):
    return jax.tree.leaves(nnx.to_pure_dict(nnx.state(open_model(checkpoint).model)))


def test_the_step_is_compiled_once(changed, validated, tmp_path, caplog):
    with jax.log_compiles(), caplog.at_level("WARNING"):
        train(changed(data=validated), tmp_path)
    compiled = [
        r.getMessage() for r in caplog.records if "Finished XLA compilation of jit(" in r.getMessage()
    ]
    assert sum("jit(step)" in message for message in compiled) == 1
    assert sum("jit(forward)" in message for message in compiled) <= 1


def test_a_run_leaves_everything_behind(changed, validated, tmp_path):
    result = train(changed(data=validated), tmp_path)
    assert result.finished
    assert result.step == 4
    assert set(result.validation) == {"auc", "ap", "eer", "threshold", "matched_rank"}
    lines = metrics_log.read_log(tmp_path)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert {"loss", "classification", "region", "learning_rate", "gradient_norm", "samples_per_second",
            "waiting_share", "seconds_left"} <= set(lines[0])  # fmt: skip
    assert {line["step"] for line in lines if "validation_auc" in line} == {2, 4}
    assert (tmp_path / "curves.png").exists()
    assert json.loads((tmp_path / "config.json").read_text())["steps"] == 4
    metadata = read_metadata(find_checkpoint(tmp_path))
    assert (metadata.model.inputs.name, metadata.window_convention, metadata.samples) == (
        "paper",
        "released",
        16,
    )


@pytest.mark.slow
def test_the_loss_falls(changed, tmp_path):
    train(changed(**LONG, model=TINY, checkpoint_every=25), tmp_path)
    losses = list(_losses(tmp_path).values())
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_the_same_seed_gives_the_same_run_and_another_seed_another(changed, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(changed(seed=seed), tmp_path / name)
    assert _losses(tmp_path / "a") == _losses(tmp_path / "b") != _losses(tmp_path / "c")


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (MEAN, PARTLY),
        pytest.param(MEAN, {}, marks=pytest.mark.slow),
        pytest.param(TINY, PARTLY, marks=pytest.mark.slow),
    ],
    ids=["mean, partly", "mean", "tiny, partly"],
)
def test_a_stopped_run_goes_on_bit_for_bit(changed, validated, tmp_path, model, optimizer):
    settings = changed(model=model, optimizer=optimizer, data=validated)
    train(settings, tmp_path / "whole")
    stopped = train(settings, tmp_path / "parts", stop=after(3))
    assert (stopped.finished, stopped.step) == (False, 3)
    assert train(settings, tmp_path / "parts").finished
    assert _losses(tmp_path / "whole") == _losses(tmp_path / "parts")
    for whole, parts in zip(_leaves(tmp_path / "whole"), _leaves(tmp_path / "parts"), strict=True):
        np.testing.assert_array_equal(whole, parts)


def test_a_finished_run_does_nothing(experiment, tmp_path):
    train(experiment, tmp_path)
    before = (tmp_path / metrics_log.FILE).read_text()
    assert train(experiment, tmp_path).finished
    assert (tmp_path / metrics_log.FILE).read_text() == before


@pytest.mark.parametrize(
    "part", ["", *(pytest.param(name, marks=pytest.mark.slow) for name in ("model", "metrics"))]
)
def test_a_damaged_checkpoint_is_passed_over(changed, validated, tmp_path, caplog, part):
    settings = changed(evaluate_every=4, data=validated)
    train(settings, tmp_path)
    expected = _losses(tmp_path)
    for file in (tmp_path / "checkpoints" / "4" / part).rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert train(settings, tmp_path).finished
    assert "checkpoints/4 is damaged" in caplog.text
    assert _losses(tmp_path) == expected
    assert open_model(tmp_path, step=4)


def test_other_settings_of_the_model_are_refused(experiment, changed, tmp_path):
    train(experiment, tmp_path, stop=after(2))
    with pytest.raises(ValueError, match="other settings"):
        train(changed(model={"inputs": Inputs("paper", picture_size=80, crop_size=48)}), tmp_path)


def test_a_diverging_run_names_checkpoint_and_batch(changed, tmp_path):
    settings = changed(checkpoint_every=1, optimizer={"learning_rate": 1e30, "clip_norm": 0.0})
    with pytest.raises(
        Diverged, match=r"step \d+.*(checkpoints/\d|no checkpoint yet).*(0_real|1_fake)/\d_\d"
    ):
        train(settings, tmp_path)


def test_latest_and_best_checkpoints_are_kept(changed, validated, tmp_path):
    train(changed(checkpoint_every=1, evaluate_every=1, keep=2, data=validated), tmp_path)
    kept = sorted(int(p.name) for p in (tmp_path / "checkpoints").iterdir())
    aucs = {line["step"]: line["validation_auc"] for line in metrics_log.read_log(tmp_path)}
    assert {3, 4} <= set(kept)
    assert len(kept) <= 3
    assert aucs[int(find_checkpoint(tmp_path).name)] == max(aucs[step] for step in aucs)


def test_averaged_parameters_are_what_evaluation_opens(changed, tmp_path):
    settings = changed(optimizer=PARTLY)
    train(settings, tmp_path)
    mesh = make_mesh(settings.fsdp)
    with RunCheckpointer(str(tmp_path), make_recipe(settings), window_convention="released") as saved:
        state, _ = saved.restore(mesh)
    opened = open_model(tmp_path).model.fc.kernel[...]
    np.testing.assert_array_equal(opened, state.ema["fc"]["kernel"][...])
    assert not np.array_equal(opened, state.trainable["fc"]["kernel"][...])


@pytest.mark.slow
def test_a_run_can_start_from_pretrained_parts(changed, tmp_path):
    settings = changed(**LONG, model=TINY)  # as of the run whose loss falls, which compiled the same step
    rng = np.random.default_rng(0)
    parts = {
        name: jax.tree.map(lambda s: rng.random(s.shape, np.float32), abstract_weights(TINY)[name])
        for name in ("encoder", "backbone")
    }
    clip, backbone = str(tmp_path / "model.safetensors"), tmp_path / "resnet.pth"
    save_file({k: np.ascontiguousarray(v) for k, v in huggingface(parts["encoder"]).items()}, clip)
    write_pth(backbone, torchvision(parts["backbone"]), model=False)
    files = settings_for([str(backbone), clip])
    train(dataclasses.replace(settings, **files), tmp_path / "run", stop=after(1))  # at a rate of zero
    found = nnx.to_pure_dict(nnx.state(open_model(tmp_path / "run").model))
    np.testing.assert_array_equal(found["encoder"]["projection"], parts["encoder"]["projection"])
    for name in ("scale", "bias"):
        np.testing.assert_array_equal(found["backbone"]["bn1"][name], parts["backbone"]["bn1"][name])
    np.testing.assert_array_equal(found["backbone"]["conv1"]["kernel"], parts["backbone"]["conv1"]["kernel"])


def test_a_run_can_start_from_another(experiment, changed, tmp_path):
    train(experiment, tmp_path / "first")
    settings = changed(start=str(tmp_path / "first"))
    train(settings, tmp_path / "second", stop=after(1))  # at a rate of zero
    first, second = (open_model(tmp_path / name).model.fc.kernel[...] for name in ("first", "second"))
    np.testing.assert_array_equal(first, second)


def test_a_run_does_not_start_from_another_network(experiment, changed, tmp_path):
    train(experiment, tmp_path / "first", stop=after(1))
    other = changed(model={"activation": "gelu"}, start=str(tmp_path / "first"))
    with pytest.raises(ValueError, match=r"holds mean \+ mean \+ quick_gelu, this experiment has"):
        train(other, tmp_path / "second")


def test_samples_are_counted_over_a_change_of_batch_size(experiment, changed, tmp_path):
    train(experiment, tmp_path, stop=after(2))
    train(changed(**LONG), tmp_path, stop=after(3))
    assert read_metadata(tmp_path / "checkpoints" / "3").samples == 2 * 4 + 8


def test_nothing_is_due_every_zero_steps_and_parts_must_be_equal(changed, tmp_path):
    assert train(changed(log_every=0, checkpoint_every=0, evaluate_every=0), tmp_path).finished
    with pytest.raises(ValueError, match="equal parts"):
        changed(optimizer={"accumulate": 3})


@pytest.mark.slow
def test_a_trace_ends_with_the_run(experiment, tmp_path):
    train(experiment, tmp_path, profile_steps=10)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def _on(changed, folder, **data):
    """A run on a folder, with a checkpoint at its end."""
    return changed(checkpoint_every=0, data={"path": str(folder), **data})


def test_changed_records_are_refused_unless_told(changed, pictures, tmp_path, caplog):
    folder, _ = pictures
    run = tmp_path / "run"
    train(_on(changed, folder), run, stop=after(1))
    before = read_metadata(find_checkpoint(run)).records["training"]["sum"]
    os.utime(folder / "0_real" / "0_0.png", (0, 0))
    with pytest.raises(
        ValueError, match=rf"training records were .*{before}\), now they are .*changed_records"
    ):
        train(_on(changed, folder), run)
    train(_on(changed, folder, changed_records=True), run, stop=after(2))
    assert "resuming with changed records" in caplog.text
    assert read_metadata(find_checkpoint(run)).records["training"]["sum"] != before


def test_a_corrupt_record_stops_with_a_checkpoint_and_mended_the_run_resumes(changed, pictures, tmp_path):
    folder, damage = pictures
    settings, run = _on(changed, folder), tmp_path / "run"
    train(settings, tmp_path / "whole")
    mend = damage("1_fake/3_0.png")
    with pytest.raises(CorruptRecord, match="1_fake/3, window 0"):
        train(settings, run)
    reached = max(_losses(run), default=0)
    assert [p.name for p in (run / "checkpoints").iterdir()] == ([str(reached)] if reached else [])
    with pytest.raises(CorruptRecord, match="1_fake/3, window 0"):
        train(settings, run)
    mend()
    assert train(settings, run).finished
    assert _losses(run) == _losses(tmp_path / "whole")


def test_corrupt_records_are_skipped_counted_and_listed(changed, pictures, tmp_path, caplog):
    folder, damage = pictures
    damage("1_fake/3_0.png")
    settings = _on(changed, folder, corrupt_records="skip", corrupt_share=0.1)
    assert train(settings, tmp_path / "whole").finished
    assert "1 corrupt training records were skipped" in caplog.text
    listed = json.loads((tmp_path / "whole" / "corrupt_records.json").read_text())
    assert "1_fake/3, window 0" in str(listed["training"]["corrupt"])
    train(settings, tmp_path / "parts", stop=after(2))
    train(settings, tmp_path / "parts")
    assert _losses(tmp_path / "whole") == _losses(tmp_path / "parts")
    damage("0_real/1_0.png")
    with pytest.raises(CorruptRecord, match=r"2 corrupt records, more than the 1\.2"):
        train(settings, tmp_path / "too many")


def test_a_corrupt_validation_record_stops_with_a_checkpoint(changed, pictures, validated, tmp_path):
    folder, damage = pictures
    damage("1_fake/3_0.png")
    data = validated | {"path": validated["validation_path"], "validation_path": str(folder)}
    settings = changed(evaluate_every=1, data=data)
    with pytest.raises(CorruptRecord, match="1_fake/3, window 0"):
        train(settings, tmp_path / "run")
    assert find_checkpoint(tmp_path / "run").name == "1"


def test_two_runs_do_not_share_a_workdir(changed, composites, tmp_path):
    with (
        lock_folder(tmp_path, "a training run"),
        pytest.raises(InUseError, match="a training run is under way there"),
    ):
        train(_on(changed, composites), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_asked_to_stop_beforehand_a_run_does_nothing(changed, composites, tmp_path):
    result = train(_on(changed, composites), tmp_path, stop=lambda step: True)
    assert (result.step, result.finished) == (0, False)


def test_a_broken_disk_is_no_damaged_checkpoint(changed, composites, tmp_path, monkeypatch):
    train(_on(changed, composites), tmp_path, stop=after(1))

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(checkpointer, "verify_arrays", broken)
    with pytest.raises(OSError, match=r"Input/output error.*checkpoints/1"):
        train(_on(changed, composites), tmp_path)
    assert (tmp_path / "checkpoints" / "1").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("can't mount a file system in memory here, which takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_run_goes_on_from_before(
    changed, composites, small_disk, tmp_path, caplog
):
    settings = _on(changed, composites)
    train(settings, small_disk / "run", stop=after(1))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 40_000))  # less than a checkpoint
    with pytest.raises(OSError, match=r"disk is full.*resumes from step 1.*checkpoints"):
        train(settings, small_disk / "run")
    assert not [r for r in caplog.records if r.exc_info]  # said once, in a line
    filler.unlink()
    assert train(settings, small_disk / "run").finished
    train(settings, tmp_path / "undisturbed")
    assert _losses(small_disk / "run") == _losses(tmp_path / "undisturbed")


def test_a_person_hears_what_is_compiled(changed, composites, tmp_path, caplog):
    with caplog.at_level("INFO"):
        train(_on(changed, composites), tmp_path)
    lines = [r.getMessage() for r in caplog.records if r.name == "lipfd_jax.training.loop"]
    compiling, compiled, step = (
        next(i for i, line in enumerate(lines) if part in line)
        for part in ("compiling the", "compiled in", "step 1/4")
    )
    assert compiling < compiled < step
