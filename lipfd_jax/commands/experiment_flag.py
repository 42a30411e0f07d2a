"""The flag --config: an experiment that ships, by name, or a config file, by path."""

import pathlib

from absl import flags
from ml_collections import config_flags

flags.disclaim_key_flags()  # the flag belongs to the command that defines it, also in its --help

_FOLDER = pathlib.Path(__file__).parents[1] / "experiments"
_HELP = (
    "Experiment: one that ships, by name (lipfd, lipfd:unfrozen, lipfd:tiny, small, "
    "distilled, demo), or a file by path (configs/lipfd.py:tiny). --config.FIELD=VALUE sets a field."
)


def define_config() -> None:
    """Defines --config; its value is the ConfigDict that the experiment's get_config returns."""
    config_flags.DEFINE_config_file("config", None, _HELP)
    flag = flags.FLAGS["config"]
    flag.parser = _ExperimentParser(flag.parser)


def list_experiments() -> list[str]:
    """Returns the names of the experiments that ship, sorted."""
    return sorted(file.stem for file in _FOLDER.glob("*.py") if file.stem != "__init__")


def locate_experiment(value: str) -> str:
    """Replaces the name in NAME[:VARIANT] with the path of its file; PATH[:VARIANT] stays.

    Raises:
      ValueError: there is neither an experiment nor a file of that name.
    """
    name, colon, variant = value.partition(":")
    path = _FOLDER / f"{name}.py" if name in list_experiments() else pathlib.Path(name)
    if not path.is_file():
        known = ", ".join(list_experiments())
        raise ValueError(f"no experiment {name!r}: expected one of {known}, or the path of a file")
    return f"{path}{colon}{variant}"


class _ExperimentParser(flags.ArgumentParser):
    """Locates the file and leaves the rest to ml_collections' own parser."""

    def __init__(self, reader: flags.ArgumentParser):
        self._reader = reader

    def parse(self, argument: str) -> object:
        return self._reader.parse(locate_experiment(argument))

    def flag_type(self) -> str:
        return "experiment"
