"""Plans training on TPU slices by compiling the training step without a TPU."""
