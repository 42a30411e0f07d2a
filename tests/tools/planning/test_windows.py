"""What kernels fetch again, read from a small program in the notation of compiled TPU programs."""

from lipfd_jax.tools.planning.hlo_text import tiles
from lipfd_jax.tools.planning.tiling import estimated_cycles, refetched_bytes
from lipfd_jax.tools.planning.traffic import memory_bytes

PROGRAM = """HloModule jit_step, is_scheduled=true

%convolved (p.0: bf16[16,8,8,128], p.1: f32[3,3,128,128], p.2: f32[128]) -> bf16[16,8,8,128] {
  %p.1 = f32[3,3,128,128]{3,2,1,0:T(8,128)S(1)} parameter(1)
  %p.2 = f32[128]{0:T(128)S(1)} parameter(2)
  %p.0 = bf16[16,8,8,128]{3,0,2,1:T(8,128)(2,1)} parameter(0)
  %spread = bf16[16,8,8,128]{3,0,2,1:T(8,128)(2,1)} broadcast(%p.2), dimensions={3}
  %scaled = bf16[16,8,8,128]{3,0,2,1:T(8,128)(2,1)} multiply(%p.0, %spread)
  %rounded = bf16[3,3,128,128]{3,2,1,0:T(8,128)(2,1)} convert(%p.1)
  ROOT %convolution = bf16[16,8,8,128]{3,0,2,1:T(8,128)(2,1)} convolution(%scaled, %rounded), window={size=3x3 pad=1_1x1_1}
}

%multiplied (p.3: bf16[512,128], p.4: bf16[128,256], p.5: bf16[512,256]) -> bf16[512,256] {
  %p.3 = bf16[512,128]{1,0:T(8,128)(2,1)} parameter(0)
  %p.4 = bf16[128,256]{1,0:T(8,128)(2,1)} parameter(1)
  %p.5 = bf16[512,256]{1,0:T(8,128)(2,1)} parameter(2)
  %product = bf16[512,256]{1,0:T(8,128)(2,1)} convolution(%p.3, %p.4), dim_labels=bf_io->bf
  ROOT %sum = bf16[512,256]{1,0:T(8,128)(2,1)} add(%product, %p.5)
}

%pooled (p.6: bf16[512,256]) -> bf16[256,256] {
  %p.6 = bf16[512,256]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %max = bf16[256,256]{1,0:T(8,128)(2,1)} reduce-window(%p.6), window={size=3x1 stride=2x1 pad=1_0x0_0}
}

ENTRY %main (x: bf16[16,8,8,128], k: f32[3,3,128,128], s: f32[128], a: bf16[512,128], b: bf16[128,256], c: bf16[512,256]) -> bf16[256,256] {
  %x = bf16[16,8,8,128]{3,0,2,1:T(8,128)(2,1)} parameter(0)
  %k = f32[3,3,128,128]{3,2,1,0:T(8,128)S(1)} parameter(1)
  %s = f32[128]{0:T(128)S(1)} parameter(2)
  %a = bf16[512,128]{1,0:T(8,128)(2,1)} parameter(3)
  %b = bf16[128,256]{1,0:T(8,128)(2,1)} parameter(4)
  %c = bf16[512,256]{1,0:T(8,128)(2,1)} parameter(5)
  %fusion.1 = bf16[16,8,8,128]{3,0,2,1:T(8,128)(2,1)S(1)} fusion(%x, %k, /*index=2*/%s), kind=kOutput, calls=%convolved, backend_config={"window_config":{"kernel_window_bounds":["3","3","16","1"],"output_window_bounds":["4","4","2","1"],"input_window_bounds":["5","5","2","1"],"estimated_cycles":"1000","iteration_bounds":["1","1","2","2","1","1","1"]}}
  %fusion.2 = bf16[512,256]{1,0:T(8,128)(2,1)} fusion(%a, %b, %c), kind=kOutput, calls=%multiplied, backend_config={"window_config":{"kernel_window_bounds":["16","2"],"output_window_bounds":["16","2"],"input_window_bounds":["16","1"],"estimated_cycles":"200","iteration_bounds":["1","4","1"]}}
  ROOT %fusion.3 = bf16[256,256]{1,0:T(8,128)(2,1)} fusion(%fusion.2), kind=kLoop, calls=%pooled, backend_config={"window_config":{"kernel_window_bounds":[],"output_window_bounds":["8","2"],"input_window_bounds":["20","2"],"estimated_cycles":"30","iteration_bounds":["4","1"]}}
}
"""  # noqa: E501


def test_tiles_lie_outermost_first():
    assert tiles("bf16[240,14,15,64]{0,3,2,1:T(8,128)(2,1)}") == [14, 15, 8, 2]
    assert tiles("f32[3,5]{1,0}") == [3, 5]
    assert tiles("f32[]{:T(128)}") == []


def test_every_step_fetches_its_windows_at_most():
    expected = (4 * 5 * 5 / (8 * 8) - 1) * 16 * 8 * 8 * 128 * 2  # edges; kernel and factors are on the chip
    expected += 3 * 128 * 256 * 2  # four steps of the product read the same matrix
    expected += (4 * 20 / 64 - 1) * 512 * 256 * 2  # edges of the pool
    assert refetched_bytes(PROGRAM) == expected
    assert memory_bytes(PROGRAM) > expected


def test_a_program_without_windows_fetches_once():
    assert (
        refetched_bytes(PROGRAM.replace("window_bounds", "other").replace("iteration_bounds", "other")) == 0
    )


def test_cycles_are_summed():
    assert estimated_cycles(PROGRAM) == 1230
