"""Frozen first blocks of a backbone: which backbones can keep blocks out of training."""


def refuse_frozen_blocks(backbone: str, count: int) -> None:
    """Raises ValueError, for a backbone that always trains whole, unless `count` is 0."""
    if count:
        raise ValueError(
            f"frozen_blocks={count}: {backbone} trains whole (EfficientNet can freeze blocks); set it to 0"
        )
