"""The folder that the demonstration is built from."""

import csv
import subprocess
import sys

import pytest

from lipfd_jax.listing.layouts import list_layout
from lipfd_jax.listing.synthetic_mark import SYNTHETIC_MARK
from lipfd_jax.tools.synthetic import clips
from lipfd_jax.tools.synthetic.dataset import write_dataset


@pytest.fixture
def short(monkeypatch):
    """Clips of five frames, for tests of names and folders."""
    monkeypatch.setattr(clips, "FRAMES", (5, 5))


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_layout_is_avlips_and_the_listing_names_every_clip(tmp_path, short):
    finished = []
    write_dataset(tmp_path, identities=2, seed=1, progress=lambda: finished.append(1))
    expected = {f"{kind}/{name}.mp4" for kind in ("0_real", "1_fake") for name in "01"}
    expected |= {f"wav/{path[:-4]}.wav" for path in expected}
    assert set(_files(tmp_path)) == expected | {"clips.csv", "synthetic.json"}
    assert len(finished) == 2
    with (tmp_path / "clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == {path for path in expected if path.endswith("mp4")}
    assert rows[1] == {"path": "1_fake/0.mp4", "label": "fake", "group": "0", "generator": "redrawn-mouth"}


def test_the_folder_is_known_as_drawn(tmp_path, short):
    write_dataset(tmp_path / "drawn", identities=1, seed=1)
    for layout in ("avlips", "folder"):
        assert list_layout(tmp_path, layout, unpack_dir=tmp_path).synthetic
    (tmp_path / "drawn" / SYNTHETIC_MARK).unlink()
    assert not list_layout(tmp_path, "avlips", unpack_dir=tmp_path).synthetic


def test_several_clips_of_a_person_share_a_group(tmp_path, short):
    write_dataset(tmp_path, identities=1, seed=1, clips_per_identity=2)
    assert sorted(path.name for path in (tmp_path / "0_real").iterdir()) == ["0_0.mp4", "0_1.mp4"]
    rows = (tmp_path / "clips.csv").read_text().splitlines()[1:]
    assert {row.split(",")[2] for row in rows} == {"0"}


def test_a_person_does_not_depend_on_how_many_there_are(tmp_path, short):
    for folder, people in (("two", 2), ("one", 1)):
        write_dataset(tmp_path / folder, identities=people, seed=3)
    two, one = _files(tmp_path / "two"), _files(tmp_path / "one")
    assert all(two[name] == one[name] for name in one if name.endswith(("mp4", "wav")))


def test_running_again_repeats_and_another_size_is_refused(tmp_path, short):
    write_dataset(tmp_path, identities=2, seed=3)
    before = _files(tmp_path)
    write_dataset(tmp_path, identities=2, seed=3)
    assert _files(tmp_path) == before
    with pytest.raises(FileExistsError, match="not part of this data set"):
        write_dataset(tmp_path, identities=1, seed=3)


@pytest.mark.parametrize(
    "bad", [{"identities": 0}, {"seed": -1}, {"processes": 0}, {"clips_per_identity": 0}]
)
def test_impossible_numbers_are_refused_by_name(tmp_path, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        write_dataset(tmp_path, **({"identities": 1, "seed": 0} | bad))


def test_the_command_writes_with_several_processes_what_one_writes(tmp_path):
    """Full-length clips, encoded by other processes."""
    write_dataset(tmp_path / "here", identities=1, seed=4)
    command = [sys.executable, "-m", "lipfd_jax", "synthetic", f"--output={tmp_path / 'there'}"]
    subprocess.run([*command, "--identities=1", "--seed=4", "--processes=2"], check=True, capture_output=True)
    assert _files(tmp_path / "here") == _files(tmp_path / "there")


def test_the_command_explains_a_folder_in_use(tmp_path, short):
    (tmp_path / "0_real").mkdir()
    (tmp_path / "0_real" / "holiday.mp4").touch()
    command = [sys.executable, "-m", "lipfd_jax", "synthetic", f"--output={tmp_path}", "--identities=1"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert "holiday.mp4" in run.stderr
    assert "Traceback" not in run.stderr


def test_generator_needs_no_jax():
    program = (
        "import sys, lipfd_jax.tools.synthetic.dataset; assert 'jax' not in sys.modules, 'jax was imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
