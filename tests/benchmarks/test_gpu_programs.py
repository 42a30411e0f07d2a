"""The programs that a GPU would run are made, on a machine without one."""

import jax

from benchmarks import gpu_programs
from lipfd_jax.kernels.dispatch import VARIANTS
from lipfd_jax.kernels.dispatch import select_variant as chosen
from lipfd_jax.models.inputs import Inputs
from lipfd_jax.models.lipfd import ModelConfig

TINY = ModelConfig(
    "vit_tiny", "resnet_tiny", Inputs("paper", picture_size=280, crop_size=64), dtype="bfloat16"
)


def test_forward_pass_and_step_are_lowered_for_cuda():
    found = gpu_programs.lowered(TINY, batch=2)
    for task in ("forward", "training step"):
        assert found[f"{task}, plain attention"]["operations"] > 100
        assert found[f"{task}, cudnn attention"].keys() & {"calls", "error"}  # says why, where it can't


def test_a_variant_of_attention_is_for_its_program_alone():
    before = dict(VARIANTS["attention"])
    seen = jax.eval_shape(
        gpu_programs.with_attention(lambda: [0] * (chosen("attention") == "cudnn"), "cudnn")
    )
    assert len(seen) == 1
    assert before == VARIANTS["attention"]
