"""Windows of face crops keep as many pixels of the face as asked for, and evaluation knows how many."""

import json
from types import SimpleNamespace

import pytest

from datasets_tfds.build_settings import select_settings
from datasets_tfds.report import compare_settings
from lipfd_jax.data.sources import read_face_side
from lipfd_jax.models.inputs import PAPER, Inputs, face_side_warning
from lipfd_jax.vocabulary import BUILD_REPORT


def test_the_side_belongs_to_windows_of_faces():
    assert select_settings("folder", crop="faces", face_side=448).face_side == 448
    for config, changes in (("folder", {}), ("clips", {"crop": "faces"})):
        with pytest.raises(ValueError, match="only of windows with --crop=faces"):
            select_settings(config, face_side=448, **changes)
    with pytest.raises(ValueError, match="expected 64 to 500"):
        select_settings("folder", crop="faces", face_side=501)


def test_reports_of_earlier_versions_have_the_side_of_avlips(tmp_path):
    settings = select_settings("folder", crop="faces")
    old = settings.as_dict()
    del old["face_side"]
    assert compare_settings(old, settings) == {}
    assert compare_settings(old, select_settings("folder", crop="faces", face_side=448)) == {
        "face_side": (224, 448)
    }
    (tmp_path / BUILD_REPORT).write_text(json.dumps({"settings": old}))
    assert read_face_side(SimpleNamespace(folder=tmp_path)) == 224
    (tmp_path / BUILD_REPORT).write_text(json.dumps({"settings": old | {"crop": "none"}}))
    assert read_face_side(SimpleNamespace(folder=tmp_path)) is None


def test_evaluation_warns_of_another_side():
    small = Inputs(picture_size=0, face_side=448)
    assert "--face_side=448" in face_side_warning(small, 224)
    assert (
        face_side_warning(small, 448) == face_side_warning(PAPER, 224) == face_side_warning(PAPER, None) == ""
    )
