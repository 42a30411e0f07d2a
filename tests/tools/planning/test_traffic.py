"""Bytes read from the text of small programs, in the notation of compiled TPU programs."""

import pytest

from lipfd_jax.tools.planning.hlo_text import instructions, size
from lipfd_jax.tools.planning.traffic import collective_bytes, memory_bytes

PROGRAM = """HloModule jit_step, is_scheduled=true

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[]{:T(128)} parameter(0)
  %y = f32[]{:T(128)} parameter(1)
  ROOT %sum = f32[]{:T(128)} add(%x, %y)
}

%all-reduce-scatter (input: f32[1024,2048]) -> f32[512,2048] {
  %input = f32[1024,2048]{1,0:T(8,128)} parameter(0)
  %all-reduce.3 = f32[1024,2048]{1,0:T(8,128)} all-reduce(%input), channel_id=3, to_apply=%add
  ROOT %half = f32[512,2048]{1,0:T(8,128)S(1)} dynamic-slice(%all-reduce.3), dynamic_slice_sizes={512,2048}
}

%inner (p.0: bf16[8,128]) -> bf16[8,128] {
  %p.0 = bf16[8,128]{1,0} parameter(0)
  ROOT %twice = bf16[8,128]{1,0} add(%p.0, %p.0)
}

%body (carry: (s32[], bf16[64,128])) -> (s32[], bf16[64,128]) {
  %carry = (s32[]{:T(128)}, bf16[64,128]{1,0:T(8,128)(2,1)}) parameter(0)
  %i = s32[]{:T(128)} get-tuple-element(%carry), index=0
  %a = bf16[64,128]{1,0:T(8,128)(2,1)} get-tuple-element(%carry), index=1
  %loop-fusion = bf16[64,128]{1,0:T(8,128)(2,1)} fusion(%a), kind=kLoop, calls=%inner
  ROOT %out = (s32[]{:T(128)}, bf16[64,128]{1,0:T(8,128)(2,1)}) tuple(%i, %loop-fusion)
}

ENTRY %main (p: bf16[64,128], w: f32[1024,2048]) -> (f32[512,2048], bf16[64,128]) {
  %p = bf16[64,128]{1,0:T(8,128)(2,1)} parameter(0)
  %w = f32[1024,2048]{1,0:T(8,128)} parameter(1)
  %slice-start = ((bf16[64,128]{1,0:T(8,128)(2,1)}), bf16[16,128]{1,0:T(8,128)(2,1)S(1)}, s32[]{:S(2)}) slice-start(%p), slice={[0:16], [0:128]}
  %slice-done = bf16[16,128]{1,0:T(8,128)(2,1)S(1)} slice-done(%slice-start)
  %copy-start = (bf16[64,128]{1,0:T(8,128)(2,1)S(1)}, bf16[64,128]{1,0:T(8,128)(2,1)}, u32[]{:S(2)}) copy-start(%p)
  %copy-done = bf16[64,128]{1,0:T(8,128)(2,1)S(1)} copy-done(%copy-start)
  %fusion.1 = bf16[64,128]{1,0:T(8,128)(2,1)} fusion(%copy-done, %slice-done), kind=kLoop, calls=%inner, metadata={op_name="jit(step)/add"}
  %start = (s32[]{:T(128)}, bf16[64,128]{1,0:T(8,128)(2,1)}) tuple(%fusion.1, %fusion.1)
  %while.1 = (s32[]{:T(128)}, bf16[64,128]{1,0:T(8,128)(2,1)}) while(%start), condition=%inner, body=%body, backend_config={"known_trip_count":{"n":"3"}}
  %last = bf16[64,128]{1,0:T(8,128)(2,1)} get-tuple-element(%while.1), index=1
  %scattered = f32[512,2048]{1,0:T(8,128)S(1)} fusion(%w), kind=kCustom, calls=%all-reduce-scatter
  %all-gather-start.7 = (bf16[64,128]{1,0}, bf16[256,128]{1,0}) all-gather-start(%p), channel_id=7, dimensions={0}
  %all-gather-done.7 = bf16[256,128]{1,0} all-gather-done(%all-gather-start.7), channel_id=7
  %pair = (f32[64]{0}, f32[]{:T(128)}) all-reduce(%p, %p), channel_id=9, to_apply=%add
  ROOT %result = (f32[512,2048]{1,0:T(8,128)S(1)}, bf16[64,128]{1,0:T(8,128)(2,1)}) tuple(%scattered, %last)
}
"""  # noqa: E501

SMALL = 64 * 128 * 2  # bytes of the bf16 array


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("f32[8,128]{1,0:T(8,128)}", 4096),
        ("bf16[3]", 6),
        ("(s32[]{:T(128)}, pred[7]{0})", 4 + 7),
        ("f8e4m3fn[16]{0}", 16),
        ("token[]", 0),
    ],
)
def test_size_of_shapes(shape, expected):
    assert size(shape) == expected


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        ("f32[3,5]{1,0:T(8,128)}", 8 * 128),
        ("f32[3,5]{0,1:T(8,128)}", 8 * 128),
        ("f32[9,5,2]{0,2,1:T(8,128)}", 5 * 8 * 128),  # the first side lies innermost
        ("f32[7]{0:T(256)}", 256),
        ("f32[]{:T(128)}", 1),
    ],
)
def test_size_includes_what_tiles_leave_empty(shape, values):
    assert size(shape) == 4 * values


def test_what_stays_on_the_chip_is_no_memory_traffic():
    assert size("(bf16[64]{0:S(1)}, bf16[32]{0})", hbm_only=True) == 64


def test_loops_run_as_often_as_they_say():
    runs = {found.name: found.runs for found in instructions(PROGRAM)}
    assert runs["%loop-fusion"] == 3
    assert runs["%fusion.1"] == 1
    assert "%twice" not in runs  # inside a fusion nothing reaches memory


def test_memory_bytes_counts_each_crossing_once():
    expected = SMALL // 4 + 4  # slice-start brings a quarter onto the chip, and a word that tracks it
    expected += SMALL  # copy-start brings it all
    expected += SMALL  # fusion.1 writes; its operands are on the chip
    expected += 3 * 2 * SMALL  # the loop reads and writes
    expected += 1024 * 2048 * 4  # the reduce-scatter reads, its result stays
    expected += SMALL + 4 * SMALL  # the gather reads and writes
    expected += 2 * SMALL + 64 * 4 + 4  # so does the all-reduce
    assert memory_bytes(PROGRAM) == expected


def test_collectives_are_counted_by_kind_once_per_channel():
    assert collective_bytes(PROGRAM) == {
        "reduce-scatter": 1024 * 2048 * 4,
        "all-gather": 4 * SMALL,
        "all-reduce": 2 * SMALL,
    }
