"""Taking an upload: counted, timed, whole on the disk or refused."""

import asyncio
import errno

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from lipfd_jax.serving import uploads
from lipfd_jax.serving.limits import Limits, RequestError


async def _pieces(*pieces):
    for piece in pieces:
        if isinstance(piece, float):
            await asyncio.sleep(piece)
        else:
            yield piece


def _received(path, *pieces, **limits):
    return asyncio.run(uploads.receive_upload(_pieces(*pieces), path, Limits(**limits)))


def test_every_byte_arrives(tmp_path):
    path = tmp_path / "video"
    assert _received(path, b"ab", b"", b"c" * 100_000, b"d") == 100_003
    assert path.read_bytes() == b"ab" + b"c" * 100_000 + b"d"


@pytest.mark.parametrize(
    ("pieces", "limits", "status"),
    [
        ((), {}, 400),
        ((b"", b""), {}, 400),
        ((b"x" * 1001,), {"megabytes": 0.001}, 413),
        ((b"x", 5.0, b"y"), {"grace": 0.05}, 408),
        ((5.0, b"y"), {"grace": 0.05}, 408),
        ((b"x" * 10**6, 5.0, b"y"), {"grace": 0.05}, 408),  # having been fast buys no long silence
        ((b"x", 0.04, b"x", 0.04, b"x", 0.04, b"x"), {"grace": 0.06, "slowest": 1000}, 408),  # dripping
    ],
)
def test_what_is_refused(tmp_path, pieces, limits, status):
    with pytest.raises(RequestError) as refused:
        _received(tmp_path / "video", *pieces, **limits)
    assert refused.value.status == status


def test_a_slow_but_steady_upload_is_taken(tmp_path):
    pieces = [piece for _ in range(5) for piece in (0.02, b"x" * 100)]
    assert _received(tmp_path / "video", *pieces, grace=1.0, slowest=1000) == 500


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RequestError, match="full") as refused:
        uploads._write_bytes(Full(), b"x")
    assert refused.value.status == 507


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("C:\\Users\\me\\clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("..", ".."),
        ("", "video"),
        (" / ", "video"),
        ("a\nb\x1b[31m\u202egpm.exe", "a\\nb\\x1b[31m\\u202egpm.exe"),
        ("x" * 500, "x" * 120),
    ],
)
def test_names_as_they_are_shown(name, shown):
    assert uploads.make_display_name(name) == shown
