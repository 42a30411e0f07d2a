"""A detector still being opened: who asks waits, what failed is raised, a window's time is told once."""

import threading

import numpy as np
import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.detection.batch_run import detect_all
from lipfd_jax.inference.background import Opening


@pytest.fixture
def slow(model):
    """A function that gives the model once its event is set."""

    def opens():
        assert opens.go.wait(60)
        return model

    opens.go = threading.Event()
    return opens


def test_videos_are_read_before_the_model_is_there(film, grainy, speech, slow, model, one_face, tmp_path):
    video = film(tmp_path / "a.mp4", grainy(60, 75), sound=speech[: 3 * 22050], rate=22050)
    opening, told = Opening(slow), []
    opening.time(told.append, trial=False)
    lines = detect_all(
        opening, [video], tmp_path / "out", say=str, check=slow.go.set
    )  # called while it reads
    opening.close()
    assert (lines[0].error, model.scored) == ("", 10)
    assert len(told) == 1


def test_blank_windows_tell_where_reading_takes_long(slow, model):
    model.trial = lambda: 1.5
    opening, told = Opening(slow), threading.Event()
    opening.time(lambda seconds: seconds == 1.5 and told.set(), trial=True)
    slow.go.set()
    assert told.wait(60)
    opening.predict(np.zeros((1, 1000, 2500, 3), np.uint8))
    opening.close()


def test_what_failed_is_raised_while_videos_are_read(film, grainy, one_face, tmp_path):
    def fails():
        raise CheckpointError("damaged")

    opening = Opening(fails)
    with pytest.raises(CheckpointError, match="damaged"):
        opening.ready()
    seen = []

    def check():
        seen.append(1)
        opening.check()

    with pytest.raises(CheckpointError, match="damaged"):
        detect_all(
            opening, [film(tmp_path / "a.mp4", grainy(60, 75))], tmp_path / "out", say=str, check=check
        )
    assert len(seen) == 1
    opening.close()
