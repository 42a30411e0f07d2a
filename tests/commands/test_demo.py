"""The demo's commands; that they run to the end is for `make demo`, which takes minutes."""

import pytest

from lipfd_jax import cli
from lipfd_jax.commands import demo


def test_drawing_is_left_out_once_it_is_done(tmp_path):
    names = [command[0] for command in demo.list_commands(tmp_path, seed=3, identities=4, steps=2)]
    assert names == ["synthetic", "build", "train", "evaluate"]
    (tmp_path / "AVLips").mkdir()
    (tmp_path / "AVLips" / "clips.csv").touch()
    assert [c[0] for c in demo.list_commands(tmp_path, seed=3, identities=4, steps=2)] == names[1:]
    assert set(names) <= cli.COMMANDS.keys()


def test_the_folders_fit_together(tmp_path):
    draw, build, train, evaluate = demo.list_commands(tmp_path, seed=3, identities=4, steps=2)
    assert f"--output={tmp_path}/AVLips" in draw
    assert {f"--manual_dir={tmp_path}/AVLips", f"--data_dir={tmp_path}/data"} <= set(build)
    assert {f"--config.data.path={tmp_path}/data", f"--workdir={tmp_path}/run"} <= set(train)
    assert {f"--data={tmp_path}/data", f"--checkpoint={tmp_path}/run"} <= set(evaluate)
    assert "--seed=3" in draw
    assert "--config.seed=3" in train


SETTINGS = {"seed": 0, "identities": 80, "steps": 150}


@pytest.fixture
def finished(tmp_path):
    demo.claim_folder(tmp_path / "demo", SETTINGS, overwrite=False)
    (tmp_path / "demo" / "AVLips").mkdir()
    (tmp_path / "demo" / "AVLips" / "clips.csv").touch()
    (tmp_path / "demo" / "mine.txt").touch()
    return tmp_path / "demo"


def test_a_demo_goes_on_with_its_own_settings(finished):
    demo.claim_folder(finished, SETTINGS, overwrite=False)
    assert (finished / "AVLips" / "clips.csv").exists()


@pytest.mark.parametrize(("name", "value"), [("identities", 40), ("steps", 20), ("seed", 1)])
def test_other_settings_are_refused_and_what_to_do_is_said(finished, name, value):
    with pytest.raises(ValueError, match=rf"--{name}={SETTINGS[name]}, not {value};.*--output.*--overwrite"):
        demo.claim_folder(finished, {**SETTINGS, name: value}, overwrite=False)


def test_overwriting_removes_the_earlier_demo_and_nothing_else(finished):
    demo.claim_folder(finished, {**SETTINGS, "steps": 20}, overwrite=True)
    assert sorted(path.name for path in finished.iterdir()) == ["demo.json", "mine.txt"]
    demo.claim_folder(finished, {**SETTINGS, "steps": 20}, overwrite=False)


def test_a_demo_of_an_earlier_version_is_not_taken_for_this_one(finished):
    (finished / "demo.json").unlink()
    with pytest.raises(ValueError, match="unknown settings"):
        demo.claim_folder(finished, SETTINGS, overwrite=False)
