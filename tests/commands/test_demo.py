"""The demo's commands; that they run to the end is for `make demo`, which takes minutes."""

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
