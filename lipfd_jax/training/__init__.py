"""The training loop and its parts: configuration, optimizer, mesh, step, checkpoints and log."""
