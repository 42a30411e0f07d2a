"""Checkpoints on disk: our own (Orbax), and the PyTorch and safetensors files we import."""
