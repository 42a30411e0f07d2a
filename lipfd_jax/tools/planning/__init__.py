"""What a training step would cost on a TPU slice, found by compiling it without one."""
