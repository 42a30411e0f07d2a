"""What a host has to deliver, and what one processor core can."""

# Milliseconds of one core to read a window and rebuild its composite, by encoding of the records: measured by
# benchmarks/encodings.py, table in docs/encodings.md. Augmentation comes on top.
READ_MS = {"compact": 5.4, "lossy": 3.4, "composite": 38.0}

COMPOSITE_BYTES = 1000 * 2500 * 3


def cores(samples_per_second: float, encoding: str) -> float:
    """Cores that read so many samples a second and do nothing else."""
    return samples_per_second * READ_MS[encoding] / 1000
