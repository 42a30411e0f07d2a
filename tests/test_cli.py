"""The command lipfd: what it lists, imports and refuses, and the wheel that installs it."""

import importlib
import io
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from lipfd_jax import cli
from lipfd_jax.commands import experiment_flag

ROOT = pathlib.Path(__file__).parents[1]


def _lipfd(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "lipfd_jax", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def test_every_command_has_a_line():
    listed = _lipfd("--help")
    assert listed.returncode == 0
    assert listed.stdout == _lipfd().stdout
    for name in cli.COMMANDS:
        assert len(re.findall(rf"^  {name} +\S", listed.stdout, re.MULTILINE)) == 1


def test_nothing_is_imported_before_it_is_asked_for():
    code = "import sys, lipfd_jax.cli; print(*{'jax', 'numpy', 'absl', MODULE} & set(sys.modules))"
    code = code.replace("MODULE", repr("lipfd_jax.commands.train"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_module_is_there(name):
    module = cli.import_command(name)
    assert callable(module.define_flags)
    assert callable(module.main)
    assert f"lipfd {name}" in module.__doc__


def test_a_command_shows_its_flags():
    shown = _lipfd("evaluate", "--help")
    assert shown.returncode == 0
    for name in ("--data", "--suite", "--threshold", "--precision"):  # its own and the shared ones
        assert f"\n  {name}" in shown.stdout
    assert "--logtostderr" not in shown.stdout


def test_a_wrong_command_is_refused_with_a_suggestion():
    done = _lipfd("trian")
    assert done.returncode == 1
    assert done.stderr == "error: no command 'trian': did you mean train?; lipfd --help lists them\n"
    assert "did you mean" not in _lipfd("xyz").stderr


def test_a_wrong_flag_is_an_error_of_one_line_with_a_suggestion():
    given = _lipfd("metrics", "--scorse=a.csv")
    assert given.returncode == 1
    assert given.stderr.startswith("error: Unknown command line flag 'scorse'. Did you mean: scores ?\n")
    assert given.stderr.endswith("lipfd metrics --help lists the flags\n")


def test_wrong_arguments_show_the_flags_of_the_command():
    done = _lipfd("export", "one")
    assert done.returncode == 1
    assert "\n  --format" in done.stderr
    assert done.stderr.endswith("error: expected two arguments: the checkpoint and the folder to write\n")


def test_a_failing_command_ends_with_its_code(tmp_path):
    done = _lipfd("convert", tmp_path / "no.pth", tmp_path / "out")
    assert done.returncode == 1
    assert "no.pth" in done.stderr
    assert "Traceback" not in done.stderr


def test_experiments_are_found_by_name_and_files_by_path(tmp_path, monkeypatch):
    assert experiment_flag.list_experiments() == ["demo", "distilled", "lipfd", "small"]
    assert (
        experiment_flag.locate_experiment("lipfd:tiny") == f"{ROOT / 'lipfd_jax/experiments/lipfd.py'}:tiny"
    )
    monkeypatch.chdir(ROOT)
    assert experiment_flag.locate_experiment("configs/lipfd.py:tiny") == "configs/lipfd.py:tiny"
    mine = tmp_path / "mine.py"
    mine.touch()
    assert experiment_flag.locate_experiment(str(mine)) == str(mine)
    with pytest.raises(
        ValueError, match=r"no experiment 'lipfdd': expected one of demo, distilled, lipfd, small, or"
    ):
        experiment_flag.locate_experiment("lipfdd")


@pytest.mark.parametrize("name", ["demo", "distilled", "lipfd", "small"])
def test_the_files_in_configs_are_the_experiments_that_ship(name):
    ours = importlib.import_module(f"lipfd_jax.experiments.{name}")
    assert importlib.import_module(f"configs.{name}").get_config is ours.get_config


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built in a copy."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("lipfd_jax", "datasets_tfds", "configs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--wheel-dir=dist", "."], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next((copy / "dist").glob("*.whl")))


def test_the_wheel_holds_all_that_runs_and_nothing_else(wheel):
    held = set(wheel.namelist())
    assert {name.split("/")[0] for name in held} - {"lipfd_jax", "datasets_tfds"} == {
        name.split("/")[0] for name in held if ".dist-info/" in name
    }
    for package in ("lipfd_jax", "datasets_tfds"):
        files = [f for f in (ROOT / package).rglob("*") if f.is_file() and "__pycache__" not in f.parts]
        wanted = {f.relative_to(ROOT).as_posix() for f in files if "dummy_data" not in f.parts}
        assert wanted - held == set()  # the dummy data are for the tests


def test_the_wheel_installs_the_command(wheel):
    entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "lipfd = lipfd_jax.cli:main" in wheel.read(entry_points).decode()


def test_a_name_that_the_terminal_can_not_show_is_escaped(monkeypatch):
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(cli.sys, "stdout", written)
    monkeypatch.setattr(cli.sys, "argv", ["lipfd", "train"])
    monkeypatch.setattr(cli, "run_command", lambda *arguments: print("視 \udce9"))
    cli.main()
    written.flush()
    assert written.buffer.getvalue() == b"\\u8996 \\udce9\n"


def test_an_interrupt_is_one_line(monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.sys, "argv", ["lipfd", "train"])
    monkeypatch.setattr(cli, "run_command", interrupt)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_file_named_like_a_flag_gets_a_hint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-dash.mp4").touch()
    with pytest.raises(SystemExit, match=r"for the file, write \./-dash\.mp4"):
        cli._parse(["lipfd detect", "-dash.mp4"])
