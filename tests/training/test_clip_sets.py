"""Runs on several sets of clip records: validated set by set, taught on request."""

import dataclasses

import pytest

from datasets_tfds import build
from datasets_tfds.build_settings import select_settings
from lipfd_jax.checkpoints.folders import find_checkpoint, read_metadata
from lipfd_jax.data.pairs import PairSettings
from lipfd_jax.faces import clip_extraction
from lipfd_jax.models.inputs import Inputs
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.training import metrics_log
from lipfd_jax.training.config import DataSettings, LossSettings
from lipfd_jax.training.loop import train
from lipfd_jax.training.training_data import TRAINING, VALIDATION, open_data
from tests.faces.drawn_faces import find_face, write_face

SMALL = ModelConfig("none", "mean", Inputs("paper", picture_size=0, crop_size=32))


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """Folders of two builds of clips, of two people each: one trains, the other validates."""
    folders = []
    for first in (0, 2):
        videos, made = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("built")
        rows = ["file,label,group,generator,set"]
        for person in (first, first + 1):
            for label in ("real", "fake"):
                write_face(videos / f"{label}{person}.mp4", 12, speed=person + (label == "fake") / 2)
                rows.append(f"{label}{person}.mp4,{label},person{person},{'drawn' * (label == 'fake')},x")
        (videos / "clips.csv").write_text("\n".join(rows) + "\n")
        settings = select_settings("clips", fractions=(0.5, 0.5, 0.0))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clip_extraction, "default_finder", lambda: find_face)
            build.build(manual_dir=str(videos), data_dir=str(made), settings=settings, workers=0)
        folders.append(str(made))
    return folders


def _settings(builds, **values):
    pairs = PairSettings(twins=0.5, unrelated=0.5)
    return DataSettings(path=builds[0], threads=1, pairs=pairs, more_sets=({"path": builds[1], **values},))


def test_sets_are_opened_with_their_validation_splits(builds):
    data = open_data(_settings(builds))
    assert list(data.clip_sets) == [TRAINING, "training 2"]
    assert data.validation_names == [VALIDATION, "validation 2"]
    assert data.fingerprints[VALIDATION].digest != data.fingerprints["validation 2"].digest
    assert open_data(_settings(builds, validation_split="")).validation_names == [VALIDATION]
    first = dataclasses.replace(_settings(builds, validation_split="validation"), validation_split="")
    assert open_data(first).validation_names == ["validation 2"]


def test_sources_can_be_left_out_and_labels_overridden(builds, tmp_path):
    plain = open_data(_settings(builds, label=1)).clip_sets
    assert {entry.label for entry in plain[TRAINING].entries} == {0, 1}
    assert {entry.label for entry in plain["training 2"].entries} == {1}
    gone = plain["training 2"].entries[0].source
    (tmp_path / "left_out.txt").write_text(f"{gone}\n\n")
    settings = dataclasses.replace(_settings(builds), left_out=str(tmp_path / "left_out.txt"))
    left = open_data(settings).clip_sets
    assert gone not in {entry.source for one in left.values() for entry in one.entries}
    with pytest.raises(ValueError, match=r"data\.left_out=.*: can't be read"):
        open_data(dataclasses.replace(settings, left_out=str(tmp_path / "none.txt")))


def test_no_set_validates_what_another_trains_on(builds):
    with pytest.raises(ValueError, match="are also trained on"):
        open_data(_settings([builds[0], builds[0]], split="validation", validation_split=""))


def test_a_run_validates_each_set_and_ranks_checkpoints_by_the_mean(builds, experiment, tmp_path):
    train(experiment, tmp_path / "teacher", stop=lambda step: step == 1)  # takes whole composites
    settings = dataclasses.replace(
        experiment,
        steps=2,
        model=SMALL,
        teacher=str(tmp_path / "teacher"),
        data=_settings(builds),
        loss=LossSettings(rank_weight=1.0),
    )
    result = train(settings, tmp_path / "run")
    last = metrics_log.read_log(tmp_path / "run")[-1]
    means = (last["validation_auc"] + last["validation_2_auc"]) / 2
    assert last["validation_mean_auc"] == pytest.approx(means)
    assert read_metadata(find_checkpoint(tmp_path / "run")).metrics == {"auc": pytest.approx(means)}
    assert {
        "validation_matched_rank",
        "validation_2_matched_rank",
        "validation_2_eer",
        "teacher",
        "rank",
    } <= set(last)
    assert result.validation["2_auc"] == last["validation_2_auc"]
    kinds = [line.get(f"pairs_{kind}", 0) for line in metrics_log.read_log(tmp_path / "run")
             for kind in ("twins", "unrelated")]  # fmt: skip
    assert sum(kinds) == 2 * 2
    assert not any("pairs_pseudo" in line for line in metrics_log.read_log(tmp_path / "run"))
    assert (tmp_path / "run" / metrics_log.PICTURE).exists()
