"""Refusals of `lipfd train`: exit codes and messages of one line, tested in this process."""

import logging
import shutil
import signal
import sys

import pytest
from absl import flags

from lipfd_jax import cli
from lipfd_jax.commands import train


@pytest.fixture
def refuse(monkeypatch, caplog):
    """refuse(flags...): the exit code or message that `lipfd train` ends with.

    Restores flags, signal handlers and levels of loggers.
    """
    known, argv = set(flags.FLAGS), sys.argv
    monkeypatch.setattr(train, "keep_freed_memory", lambda: None)  # would stay on for other tests
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    levels = {name: logging.getLogger(name).level for name in ("lipfd_jax", "absl")}

    def run(*arguments):
        fixed = ["--config.model.inputs.picture_size=80", "--config.model.inputs.crop_size=32"]
        config = "--config=tests/training/mean_experiment.py"
        with pytest.raises(SystemExit) as ended:
            cli.run_command("train", config, *fixed, "--compilation_cache=", *arguments)
        assert ended.value.__cause__ is None
        return ended.value.code

    yield run
    monkeypatch.setattr(sys, "argv", argv)
    for name in set(flags.FLAGS) - known:
        delattr(flags.FLAGS, name)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_typo_is_refused_with_a_hint(refuse, tmp_path, composites):
    data = f"--config.data.path={composites}"
    message = refuse(f"--workdir={tmp_path / 'run'}", data, "--config.optimizer.learning_rat=1")
    assert message.startswith("error: no such setting")
    assert 'Did you mean "learning_rate"' in message


def test_missing_data_is_one_line_with_a_remedy(refuse, tmp_path):
    message = refuse(f"--workdir={tmp_path / 'run'}", f"--config.data.path={tmp_path / 'nowhere'}")
    assert message.startswith("error: ")
    assert "lipfd build" in message
    assert "\n" not in message


def test_a_corrupt_record_has_an_exit_code_of_its_own(refuse, tmp_path, composites, caplog):
    folder = shutil.copytree(composites, tmp_path / "pictures")
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no picture")
    data = [f"--config.data.path={folder}", "--config.data.validation_split=", "--config.batch_size=8"]
    assert refuse(f"--workdir={tmp_path / 'run'}", *data) == 77
    [said] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "window 0" in said.getMessage()
    assert "corrupt_records=skip" in said.getMessage()
    assert not said.exc_info


def test_validation_with_the_training_records_is_refused(refuse, tmp_path, composites):
    message = refuse(f"--workdir={tmp_path / 'run'}", f"--config.data.path={composites}")
    assert message.startswith("error: data.path")
    assert "\n" not in message
