"""Names of clips, people and methods: which are accepted, and how they are printed."""


def find_name_problem(name: str) -> str:
    """Returns why a name can't be used in records, reports and score files; empty if it can.

    Records hold names as UTF-8, reports and score files one per line; names that differ by spaces at their
    ends are equal to every table that trims them.
    """
    if not name.isprintable():  # control characters, line breaks, and bytes that are not UTF-8
        return "its name holds control characters or is not UTF-8; rename it"
    return "its name begins or ends with a space; rename it" if name != name.strip() else ""


def escape_controls(text: str) -> str:
    """Returns the text on one line, with control characters (also ESC) and bytes that are not UTF-8
    escaped.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
