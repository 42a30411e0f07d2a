"""A detector still being opened: who asks waits, what failed is raised."""

import threading

import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.detection.batch_run import detect_videos
from lipfd_jax.inference.background import BackgroundDetector


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
    opening = BackgroundDetector(slow)
    lines = detect_videos(
        opening, [video], tmp_path / "out", print_line=str, check=slow.go.set
    )  # called while it reads
    opening.close()
    assert (lines[0].error, model.scored) == ("", 10)


def test_what_failed_is_raised_while_videos_are_read(film, grainy, one_face, tmp_path):
    def fails():
        raise CheckpointError("damaged")

    opening = BackgroundDetector(fails)
    with pytest.raises(CheckpointError, match="damaged"):
        opening.wait()
    seen = []

    def check():
        seen.append(1)
        opening.raise_failure()

    with pytest.raises(CheckpointError, match="damaged"):
        detect_videos(
            opening, [film(tmp_path / "a.mp4", grainy(60, 75))], tmp_path / "out", print_line=str, check=check
        )
    assert len(seen) == 1
    opening.close()
