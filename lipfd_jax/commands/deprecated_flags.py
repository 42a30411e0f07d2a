"""Old spellings of renamed flags, which keep working for one version."""

import sys
from typing import Any

from absl import flags

flags.disclaim_key_flags()  # they are the command's own, also in its --help


def define_old_flag(old: str, new: str) -> None:
    """Defines `--old` as another spelling of the defined flag `--new`.

    Where it is given, a line on stderr names the new spelling.
    """
    flags.DEFINE_alias(old, new)
    alias = flags.FLAGS[old]
    alias.help = f"Old spelling of --{new}; it will be removed in the next version."
    parse = alias.parse

    def warn_and_parse(argument: Any) -> None:
        print(
            f"--{old} is now --{new}; the old spelling will be removed in the next version", file=sys.stderr
        )
        parse(argument)

    alias.parse = warn_and_parse  # type: ignore[method-assign]  # this flag's parser alone
