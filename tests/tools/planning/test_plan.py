"""Plans: the table, kept results, refusals, and the TPU compiler where it is installed."""

import dataclasses
import importlib.util
import json

import pytest

from lipfd_jax.commands import plan
from lipfd_jax.models.inputs import Inputs
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.tools.planning import cache, compilation
from lipfd_jax.tools.planning.chips import parse_topology
from lipfd_jax.tools.planning.compilation import CompiledStep, PlanError
from lipfd_jax.tools.planning.table import Plan, format_plans
from lipfd_jax.training.config import Experiment

TINY = Experiment(
    batch_size=16,
    model=ModelConfig(
        "vit_tiny", "resnet_tiny", Inputs("paper", picture_size=40, crop_size=32), dtype="bfloat16"
    ),
)
FOUR = parse_topology("v5e:2x2")
FITS = CompiledStep(
    fits=True,
    memory=8_000_000_000,
    available=0,
    arguments=2_000_000_000,
    temporaries=6_000_000_000,
    flops=4 * 197e9,
    bytes_accessed=10e9,
    hosts=2,
)


def test_table_shows_what_follows():
    lines = format_plans([Plan(FOUR, 4, 0.1e12, FITS)]).splitlines()[1:]
    rows = {name.strip(): value.strip() for name, value in (line.rsplit("  ", 1) for line in lines)}
    assert rows["fits"] == "yes"
    assert rows["memory per chip, GB"] == "8.0 of 16.0"
    assert rows["GFLOP per sample"] == "197"
    assert rows["step at least, ms (arithmetic)"] == "4.0"
    assert rows["GB per sample, on-chip accesses too"] == "2.50"
    assert rows["those accesses at HBM's rate, ms"] == "12.2"
    assert rows["MFU at most"] == "50.8%"  # 4 x 0.1 T in 4 ms of 197 T/s
    assert rows["samples/s at most"] == "4,000"
    assert rows["hours per epoch of AVLips"] == "0.0053"
    assert rows["each host feeds, samples/s"] == "2,000"
    assert rows["cores, compact records"] == "10.8"  # 5.4 ms each
    assert rows["GB/s of composites to chips"] == "15.0"


def test_table_of_what_does_not_fit_has_no_times():
    large = CompiledStep(fits=False, memory=25_000_000_000, available=16_900_000_000)
    text = format_plans([Plan(FOUR, 4, 1e12, FITS), Plan(FOUR, 16, 1e12, large)])
    lines = {line[:30].strip(): line[30:].split() for line in text.splitlines()}
    assert lines["fits"] == ["yes", "NO"]
    assert "25.0 of 16.9" in text
    assert lines["samples/s at most"][-1] == "-"


def test_batches_are_asked_for_or_shared_out():
    assert plan.read_batches(TINY, FOUR, []) == [4]
    assert plan.read_batches(TINY, FOUR, ["8", "16"]) == [8, 16]
    with pytest.raises(ValueError, match="batch_size 16 is not a multiple of the 256 chips"):
        plan.read_batches(TINY, parse_topology("v5e:16x16"), [])
    with pytest.raises(ValueError, match="batch_per_chip '0': expected a positive integer"):
        plan.read_batches(TINY, FOUR, ["8", "0"])


def test_a_kept_result_is_not_compiled_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(plan, "compile_step", lambda *question: calls.append(question) or FITS)
    first = plan.make_plan(TINY, FOUR, 4, folder=tmp_path)
    assert plan.make_plan(TINY, FOUR, 4, folder=tmp_path) == first
    assert len(calls) == 1
    plan.make_plan(TINY, FOUR, 8, folder=tmp_path)
    plan.make_plan(dataclasses.replace(TINY, fsdp=2), FOUR, 4, folder=tmp_path)
    assert len(calls) == 3


def test_key_follows_what_the_program_depends_on(monkeypatch):
    key = cache.compute_key(TINY, FOUR, 4)
    elsewhere = dataclasses.replace(TINY.data, path="elsewhere")
    assert cache.compute_key(dataclasses.replace(TINY, data=elsewhere), FOUR, 4) == key
    assert cache.compute_key(TINY, parse_topology("v6e:2x2"), 4) != key
    monkeypatch.setattr(cache, "package_version", lambda package: "0")
    assert cache.compute_key(TINY, FOUR, 4) != key


def test_key_covers_the_source_of_the_step():
    covered = {"models/vit.py", "kernels/dispatch.py", "runtime/mesh.py", "training/step.py"}
    assert covered <= set(cache._hash_sources())


@pytest.mark.parametrize("content", ["", "{", '{"fits": true}', '{"other": 1}', "[]"])
def test_a_damaged_result_counts_as_none(tmp_path, content):
    cache.save_result(tmp_path, "name", FITS)
    assert cache.load_result(tmp_path, "name") == FITS
    (tmp_path / "name.json").write_text(content)
    assert cache.load_result(tmp_path, "name") is None


def test_too_large_is_an_answer_and_other_refusals_are_errors():
    message = (
        "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm. "
        "Used 25.50G of 15.75G hbm. Exceeded hbm capacity by 9.75G."
    )
    found = compilation._parse_refusal(message, hosts=1)
    assert (found.fits, found.memory / 2**30, found.available / 2**30) == (False, 25.5, 15.75)
    with pytest.raises(PlanError, match="refuses the step: INTERNAL: no"):
        compilation._parse_refusal("INTERNAL: no\nmore", hosts=1)


def test_without_the_compiler_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PlanError, match=r"pip install -e '.\[tpu\]'"):
        compilation.describe_devices(FOUR)


@pytest.mark.slow
def test_the_real_step_compiles_for_four_chips(tmp_path):
    pytest.importorskip("libtpu", reason="the TPU compiler is not installed (extra: tpu)")
    made = plan.make_plan(TINY, FOUR, 2, folder=tmp_path)
    found = made.compiled
    assert found.fits
    assert found.hosts == 1
    assert found.flops > made.model_flops * 2
    assert found.bytes_accessed > 0
    assert found.arguments > 2 * 1000 * 2500 * 3
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["fits"]
    assert "v5e:2x2" in format_plans([made])
