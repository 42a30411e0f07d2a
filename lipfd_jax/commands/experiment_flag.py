"""The flag --config: an experiment of this folder by its name, or any file by its path."""

import pathlib

from absl import flags
from ml_collections import config_flags

flags.disclaim_key_flags()  # it is the command's own, also in its --help

_FOLDER = pathlib.Path(__file__).parents[1] / "experiments"
_HELP = (
    "Experiment: one that ships, by name (lipfd, lipfd:tiny, demo), or a file by path "
    "(configs/lipfd.py:tiny). Any field can be set with --config.FIELD=VALUE."
)


def define() -> None:
    """Defines --config; its value is the ConfigDict that the experiment's get_config returns."""
    config_flags.DEFINE_config_file("config", None, _HELP)
    flag = flags.FLAGS["config"]
    flag.parser = _Located(flag.parser)


def names() -> list[str]:
    """Returns the names of the experiments that ship."""
    return sorted(file.stem for file in _FOLDER.glob("*.py") if file.stem not in ("__init__", "flag"))


def located(value: str) -> str:
    """Returns NAME[:VARIANT] or PATH[:VARIANT] with a path in front.

    Raises:
      ValueError: there is neither an experiment nor a file of that name.
    """
    name, colon, variant = value.partition(":")
    path = _FOLDER / f"{name}.py" if name in names() else pathlib.Path(name)
    if not path.is_file():
        raise ValueError(f"no experiment {name!r}: there are {', '.join(names())}; or give a file's path")
    return f"{path}{colon}{variant}"


class _Located(flags.ArgumentParser):
    """Finds the file, then leaves it to ml_collections' own parser."""

    def __init__(self, reader: flags.ArgumentParser):
        self._reader = reader

    def parse(self, argument: str) -> object:
        return self._reader.parse(located(argument))

    def flag_type(self) -> str:
        return "experiment"
