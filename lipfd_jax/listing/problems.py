"""Files that are not used, counted and named by reason."""

from collections.abc import Iterable

from lipfd_jax.listing.names import escape_controls, escape_path

_NAMES, _REASONS = 5, 20  # shown, of a reason and in all


def group_problems(problems: Iterable[tuple[object, str]], all_in: str) -> list[str]:
    """Returns lines for (name, reason) pairs: one a reason, with its count and first names.

    Args:
      all_in: where all of them are, for lines that show a part.
    """
    by_reason: dict[str, list[str]] = {}
    for name, reason in problems:
        by_reason.setdefault(reason, []).append(escape_path(name))
    lines = [_describe_reason(reason, names, all_in) for reason, names in by_reason.items()]
    more = len(lines) - _REASONS
    return lines[:_REASONS] + ([f"... and {more} more, all in {all_in}"] if more > 0 else [])


def _describe_reason(reason: str, names: list[str], all_in: str) -> str:
    if len(names) == 1:
        return f"{names[0]}: {escape_controls(reason)}"
    shown = ", ".join(names[:_NAMES])
    more = f", ... and {len(names) - _NAMES} more, all in {all_in}" if len(names) > _NAMES else ""
    return f"{len(names)} files: {escape_controls(reason)}: {shown}{more}"


def count_hidden(hidden: int) -> str:
    """Returns a line that counts hidden files and folders, with those of file managers."""
    return f"{hidden} hidden or system file{'s' * (hidden != 1)}"
