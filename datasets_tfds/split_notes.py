"""Notes on a split: one that got no video, and what fills it."""

import dataclasses
from collections.abc import Mapping, Sequence

from datasets_tfds.build_settings import BuildSettings
from datasets_tfds.splits import assign_splits
from lipfd_jax.listing.clips import Item
from lipfd_jax.listing.layouts import LAYOUTS
from lipfd_jax.vocabulary import SPLITS

_TRIED_SALTS = 200
_NEEDED_FOR = {
    "train": "training",
    "validation": "training, to choose the best checkpoint (or train with --config.data.validation_split=)",
    "test": "`lipfd evaluate`, unless --split names another",
}


def find_split_notes(
    items: Sequence[Item], assigned: Mapping[str, str], settings: BuildSettings
) -> tuple[str, ...]:
    """Returns a note on splits without a video, with what needs them and a remedy; none where all have one.

    Layouts that fill one split by intention get none.
    """
    empty = [split for split in SPLITS if split not in assigned.values()]
    if not items or not empty or LAYOUTS[settings.layout].composites:
        return ()
    needs = ", and ".join(f"in the split {split}, needed for {_NEEDED_FOR[split]}" for split in empty)
    return (f"no video is {needs}; {_find_remedy(items, settings)}",)


def _find_remedy(items: Sequence[Item], settings: BuildSettings) -> str:
    if settings.splits_csv:
        return f"add videos to it in {settings.splits_csv}"
    sources = len({item.source for item in items})
    if sources < len(SPLITS):
        return f"the videos are of {sources} group(s), and three splits need three: add others"
    unasked = [split for split, share in zip(SPLITS, settings.fractions, strict=True) if not share]
    if unasked:
        return f"--fractions={','.join(map(str, settings.fractions))} asks for it"
    salt = find_filling_salt(items, settings)
    hint = f"--salt={salt} draws a split that fills all three; or " if salt else ""
    return f"{hint}write your own with `lipfd splits`, and give it as --splits_csv"


def find_filling_salt(items: Sequence[Item], settings: BuildSettings) -> str:
    """Returns a salt that fills all splits, if possible with both classes each; "" if none is found."""
    filling = ""
    for number in range(1, _TRIED_SALTS + 1):
        salt = f"{settings.salt}{number}"
        drawn = assign_splits(items, dataclasses.replace(settings, salt=salt))
        pairs = {(drawn[item.video], item.label) for item in items}
        if len(pairs) == 2 * len(SPLITS):
            return salt
        if not filling and {split for split, _ in pairs} == set(SPLITS):
            filling = salt
    return filling
