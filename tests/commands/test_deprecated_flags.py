"""Renamed flags: the old spelling still works, and names the new one."""

import pytest
from absl import flags

from lipfd_jax.commands.deprecated_flags import define_old_flag


@pytest.fixture
def values(monkeypatch):
    values = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", values)
    monkeypatch.setattr(flags.DEFINE_alias, "__defaults__", (values, None))
    flags.DEFINE_integer("max_windows", 60, "Windows.", lower_bound=1, flag_values=values)
    define_old_flag("windows", "max_windows")
    return values


def test_the_old_spelling_sets_the_new_flag_and_names_it(values, capsys):
    values(["lipfd", "--windows=5"])
    assert values.max_windows == 5
    assert capsys.readouterr().err.startswith("--windows is now --max_windows;")


def test_nothing_is_printed_for_the_new_spelling(values, capsys):
    values(["lipfd", "--max_windows=7"])
    assert values.max_windows == 7
    assert capsys.readouterr().err == ""


def test_values_of_the_old_spelling_are_checked(values):
    with pytest.raises(flags.IllegalFlagValueError, match=r"--max_windows=0"):
        values(["lipfd", "--windows=0"])
