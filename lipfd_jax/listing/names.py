"""Names of clips, people and methods: which are accepted, and how they are printed and stored."""

import unicodedata

_JOINERS = "\u200c\u200d"  # shape letters in Persian and Indic names, and emoji


def find_name_problem(name: str) -> str:
    """Returns why a name can't be used in records, reports and score files; empty if it can.

    Records hold names as UTF-8, reports and score files one per line; names that differ by spaces at their
    ends are equal to every table that trims them.
    """
    if not is_printable(name):  # control characters, line breaks, and bytes that are not UTF-8
        return "its name holds control characters or is not UTF-8; rename it"
    return "its name begins or ends with a space; rename it" if name != name.strip() else ""


def is_printable(text: str) -> bool:
    """Whether a text can be printed on one line; unlike for str.isprintable, with any kind of space."""
    return all(map(_is_printed, text))


def escape_controls(text: str) -> str:
    """Returns the text on one line, with control characters (also ESC) and bytes that are not UTF-8
    escaped.
    """
    return "".join(c if _is_printed(c) else c.encode("unicode_escape").decode() for c in text)


def _is_printed(character: str) -> bool:
    if character.isprintable() or character in _JOINERS:
        return True
    return unicodedata.category(character) == "Zs"  # macOS names recordings with narrow spaces


def encode_name(name: str) -> bytes:
    """Returns the bytes of a name: those on the disk, also where they are not UTF-8."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # halves of characters that no file name gives
        return name.encode("utf-8", "backslashreplace")


def escape_bytes(text: str) -> str:
    r"""Returns a text that UTF-8 can hold: bytes of names that are not UTF-8 become \xNN."""
    return text if text.isascii() else encode_name(text).decode("utf-8", "backslashreplace")


def escape_path(path: object) -> str:
    r"""Returns a path, or a message with one, on one line; bytes that are not UTF-8 become \xNN."""
    return escape_controls(escape_bytes(str(path)))
