"""Words for real and fake in tables of clips."""

import difflib
from collections import Counter
from collections.abc import Iterable

from lipfd_jax.listing.csv_tables import simplify_word
from lipfd_jax.vocabulary import LABEL_BY_NAME, LABELS

# Compared as `simplify_word` returns them.
_REAL = "original originals genuine bonafide pristine authentic unmodified unaltered"
_FAKE = (
    "fakes faked deepfake deepfakes forged forgery spoof spoofed manipulated manipulation synthetic "
    "synthesized synthesised generated aigenerated tampered altered modified faceswap lipsync lipsynced"
)
_WORDS = {
    **LABEL_BY_NAME,
    **dict.fromkeys(_REAL.split(), 0),
    **dict.fromkeys(_FAKE.split(), 1),
    **{"0real": 0, "1fake": 1, "0.0": 0, "1.0": 1},
}


def parse_label(text: str) -> int | None:
    """Returns the label that a word means, 0 real or 1 fake; None for an unknown word."""
    return _WORDS.get(simplify_word(text))


def explain_label(text: str) -> str:
    """Returns why a label is refused, with what was expected."""
    if not text.strip():
        return "no label; expected real or fake"
    if simplify_word(text) in ("true", "false"):  # true: real, or it is true that it is fake
        return f"label {text!r} says neither real nor fake; write one of these"
    near = difflib.get_close_matches(simplify_word(text), [word for word in _WORDS if word.isalpha()], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"label {text!r}, expected real or fake (or 0, 1, or words such as original and deepfake){hint}"


def describe_words(words: Iterable[str]) -> str:
    """Returns which uncommon words were read as which label, for a note; "" where there are none."""
    counts = Counter(" ".join(word.lower().split()) for word in words)
    read = [(word, parse_label(word)) for word in counts if word not in LABEL_BY_NAME]
    parts = [f"{word!r} is read as {LABELS[label]}" for word, label in sorted(read) if label is not None]
    return "label " + ", ".join(parts) if parts else ""
