"""The records of a run: opened before anything else, never validated with what is trained on."""

import dataclasses
import os
import shutil

import pytest

from lipfd_jax.checkpoints.folders import find_checkpoint, read_metadata
from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.listing.synthetic_mark import mark_synthetic
from lipfd_jax.training.config import DataSettings
from lipfd_jax.training.loop import train
from lipfd_jax.training.training_data import TRAINING, VALIDATION, open_data


def _settings(path, **values):
    return DataSettings(path=str(path), threads=1, **values)


def test_a_folder_of_pictures_has_no_validation_split(composites):
    with pytest.raises(ValueError, match=r"has no splits.*data\.validation_path.*data\.validation_split"):
        open_data(_settings(composites))
    assert list(open_data(_settings(composites, validation_split="")).datasets) == [TRAINING]


def test_a_checkpoint_of_drawn_people_says_so(changed, composites, pictures, tmp_path):
    folder, _ = pictures
    mark_synthetic(folder, {})
    train(changed(steps=1, data={"path": str(folder)}), tmp_path / "run")
    metadata = read_metadata(find_checkpoint(tmp_path / "run"))
    assert (metadata.synthetic, metadata.origin) == (True, "trained as test, on drawn people")
    assert not open_data(_settings(composites, validation_split="")).synthetic


def test_a_folder_does_not_validate_itself_or_its_copy(composites, tmp_path):
    copy = shutil.copytree(composites, tmp_path / "copy")
    for folder in (composites, copy):
        with pytest.raises(ValueError, match=r"data\.validation_path: records of .* are also trained on"):
            open_data(_settings(composites, validation_path=str(folder)))


def test_another_folder_validates(composites, validation):
    data = open_data(_settings(composites, validation_path=str(validation), validation_samples=4))
    assert (len(data.datasets[TRAINING]), len(data.datasets[VALIDATION])) == (12, 4)
    assert data.fingerprints[TRAINING].digest != data.fingerprints[VALIDATION].digest


def test_a_missing_split_is_said_before_anything_is_read(changed, built, tmp_path):
    settings = _settings(built, validation_split="dev")
    experiment = dataclasses.replace(changed(start_encoder=str(tmp_path / "none.safetensors")), data=settings)
    with pytest.raises(ValueError, match=r"data\.validation_split='dev': .*no split 'dev'; .*empty"):
        train(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match=r"data\.train_split='trai': .*no split"):
        open_data(_settings(built, train_split="trai"))


def test_parts_of_a_split_must_not_overlap(built):
    with pytest.raises(ValueError, match="are also trained on"):
        open_data(_settings(built, train_split="train[:60%]", validation_split="train[50%:]"))
    with pytest.raises(ValueError, match="are also trained on"):
        open_data(_settings(built, validation_split="train"))
    parts = open_data(_settings(built, train_split="train[:50%]", validation_split="train[50%:]"))
    assert len(parts.datasets[TRAINING]) == len(parts.datasets[VALIDATION]) == 16


def test_a_folder_that_is_not_there_is_named_with_its_setting(composites, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data\.validation_path=.*nowhere"):
        open_data(_settings(composites, validation_path=str(tmp_path / "nowhere")))
    with pytest.raises(FileNotFoundError, match=r"data\.path=.*nowhere"):
        open_data(_settings(tmp_path / "nowhere"))


def test_corrupt_records_are_remembered_while_the_records_are_the_same(pictures, tmp_path):
    folder, _ = pictures
    settings = _settings(folder, validation_split="", corrupt_records="skip", corrupt_share=0.2)
    data = open_data(settings)
    data.corrupt[TRAINING].note(3, CorruptRecord("record 3"))
    path = data.write_corrupt_list(tmp_path)
    again = open_data(settings)
    again.read_corrupt_list(tmp_path)
    assert again.corrupt[TRAINING].messages() == {3: "record 3"}
    again.corrupt[TRAINING].note(4, CorruptRecord("record 4"))
    with pytest.raises(CorruptRecord, match=r"3 corrupt records, more than the 2\.4"):
        again.corrupt[TRAINING].note(5, CorruptRecord("record 5"))
    os.utime(folder / "0_real" / "0_0.png", (0, 0))
    other = open_data(settings)
    other.read_corrupt_list(tmp_path)
    assert not other.corrupt[TRAINING].messages()
    path.write_text("{")
    again.read_corrupt_list(tmp_path)  # a damaged list is written anew
