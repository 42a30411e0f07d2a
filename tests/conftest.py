"""Fixtures every test may use: where the recorded outputs and the clips are, and parsed flags."""

import os
import pathlib

import pytest
from absl import flags

flags.FLAGS.mark_as_parsed()  # Grain's prefetching reads absl flags, which pytest never parses


def _folder(variable: str) -> pathlib.Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: it names the folder of reference data this test compares with")
    folder = pathlib.Path(value)
    if not folder.is_dir():
        pytest.skip(f"{variable}={value} is not a folder")
    return folder


@pytest.fixture(scope="session")
def golden() -> pathlib.Path:
    """The recorded outputs of the released code (LIPFD_GOLDEN)."""
    return _folder("LIPFD_GOLDEN")


@pytest.fixture(scope="session")
def media() -> pathlib.Path:
    """Real and forged clips (LIPFD_MEDIA)."""
    return _folder("LIPFD_MEDIA")
