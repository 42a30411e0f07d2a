"""Names of clips, people and methods: which ones are taken, and how any of them is printed."""


def find_name_problem(name: str) -> str:
    """Why a name can't go into records, reports and score files; empty where it can.

    Records hold names as UTF-8, reports and score files one per line; what differs by blanks at its ends
    is one name to every table that trims them.
    """
    if not name.isprintable():  # control characters, line breaks, and bytes that are not UTF-8
        return "its name holds control characters or is not UTF-8; rename it"
    return "its name begins or ends with a blank; rename it" if name != name.strip() else ""


def escape_controls(text: str) -> str:
    """The text on one line, with control characters (ESC too) and bytes that are not UTF-8 as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
