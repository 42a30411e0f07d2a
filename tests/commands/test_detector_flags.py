"""The settings that the flags of `lipfd detect` and `lipfd serve` stand for."""

import pytest
from absl import flags

from lipfd_jax.commands import detector_flags
from lipfd_jax.detection.detection_settings import DetectionSettings


@pytest.fixture
def parse():
    """Parses flags and returns their settings; the flags are gone after the test."""
    before = set(flags.FLAGS)
    detector_flags.define_flags()

    def parse(*given):
        flags.FLAGS(["lipfd", *given])
        return detector_flags.build_settings()

    yield parse
    flags.FLAGS.unparse_flags()
    flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)


def test_without_flags_the_settings_are_the_default_ones(parse):
    assert parse() == DetectionSettings()


def test_flags_are_settings(parse):
    given = ("--crop=none", "--max_windows=5", "--refined=2", "--stride=0.5")
    assert parse(*given) == DetectionSettings("none", 5, 2, 0.5)


def test_the_old_spelling_of_the_number_of_windows_works(parse, capsys):
    assert parse("--windows=7") == DetectionSettings(max_windows=7)
    assert "--windows is now --max_windows" in capsys.readouterr().err
