"""Compilation is logged once, with the cache folder."""

import logging
import os

import jax
import pytest

from lipfd_jax.runtime.compilation import LoggedProgram, use_compilation_cache


@pytest.fixture(autouse=True)
def own_cache():
    before = jax.config.jax_compilation_cache_dir
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_first_call_is_announced(caplog, tmp_path):
    use_compilation_cache(str(tmp_path))
    use_compilation_cache("")  # changes nothing
    double = LoggedProgram(lambda x: 2 * x, "the double")
    with caplog.at_level(logging.INFO, "lipfd_jax"):
        assert [double(1), double(2)] == [2, 4]
    said = [record.getMessage() for record in caplog.records]
    folder = jax.config.jax_compilation_cache_dir
    assert said == [f"compiling the double; {folder} keeps it for the next start", "ready after 0 s"]


def test_each_number_of_cores_has_programs_of_its_own(monkeypatch, tmp_path):
    folders = set()
    for cores in ({0}, {0, 1}, {2, 3}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: cores, raising=False)
        use_compilation_cache(str(tmp_path))
        folders.add(jax.config.jax_compilation_cache_dir)
    assert folders == {str(tmp_path / "1_cores"), str(tmp_path / "2_cores")}
