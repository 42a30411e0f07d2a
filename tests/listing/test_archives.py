"""Hostile and valid archives."""

import io
import stat
import tarfile
import zipfile

import pytest

from lipfd_jax.listing import archives, compression
from lipfd_jax.listing.archives import unpack_archive
from lipfd_jax.listing.clips import ClipError


def _zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def _tar(path, members):
    mode = {".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


HONEST = {"AVLips/0_real/ü.mp4": b"video", "AVLips/wav/0_real/ü.wav": b"sound", "__MACOSX/x": b"litter"}


@pytest.mark.parametrize(("write", "name"), [(_zip, "a.zip"), (_tar, "a.tar"), (_tar, "a.tar.gz")])
def test_unpacks_once(tmp_path, write, name):
    folder = unpack_archive(write(tmp_path / name, HONEST), tmp_path / "out")
    assert (folder / "AVLips/0_real/ü.mp4").read_bytes() == b"video"
    assert not (folder / "__MACOSX").exists()
    (folder / "kept").touch()
    assert (unpack_archive(tmp_path / name, tmp_path / "out") / "kept").exists()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize(("write", "archive"), [(_zip, "a.zip"), (_tar, "a.tar")])
def test_members_outside_are_refused(tmp_path, write, archive, name):
    with pytest.raises(ClipError, match="outside the folder"):
        unpack_archive(write(tmp_path / archive, {"fine": b"1", name: b"2"}), tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("evil*"))
    assert not list((tmp_path / "deep" / "out").iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        packed.addfile(info)
    with pytest.raises(ClipError, match="link or device"):
        unpack_archive(tmp_path / "a.tar", tmp_path / "out")


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    _zip(tmp_path / "a.zip", {info: "/etc/passwd"})
    with pytest.raises(ClipError, match="link or device"):
        unpack_archive(tmp_path / "a.zip", tmp_path / "out")


def test_a_bomb_is_stopped_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "RATIO_GRACE", 1 << 20)
    bomb = _zip(tmp_path / "a.zip", {f"0_real/{i}.mp4": bytes(1 << 20) for i in range(8)})
    with pytest.raises(ClipError, match="too large"):
        unpack_archive(bomb, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    with pytest.raises(ClipError, match="more than 3 files"):
        unpack_archive(_zip(tmp_path / "a.zip", {str(i): b"" for i in range(4)}), tmp_path / "out")


def test_damaged_doubled_and_foreign_files_are_named(tmp_path):
    _tar(tmp_path / "two.tar", {"a": b"1", "./a": b"2"})
    cut = _zip(tmp_path / "cut.zip", {"a": bytes(range(256)) * 50})
    cut.write_bytes(cut.read_bytes()[:40] + b"????" + cut.read_bytes()[44:])
    (tmp_path / "text.zip").write_text("not an archive")
    for name in ("two.tar", "cut.zip", "text.zip"):
        with pytest.raises(ClipError, match=name):
            unpack_archive(tmp_path / name, tmp_path / "out")
        assert not list((tmp_path / "out").glob("*"))


def _damaged(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("name", "place"), [("a.tar.gz", -6), ("a.tar.bz2", -3), ("a.tar.xz", -30)])
def test_a_changed_check_sum_is_noticed(tmp_path, name, place):
    packed = _tar(tmp_path / name, HONEST)
    assert unpack_archive(packed, tmp_path / "good")
    _damaged(packed, place)
    with pytest.raises(ClipError, match=name):
        unpack_archive(packed, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_members_of_a_zip_are_compared_with_their_sums(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as packed:
        packed.writestr("0_real/a.mp4", bytes(range(256)) * 40)
    assert unpack_archive(tmp_path / "a.zip", tmp_path / "good")
    _damaged(tmp_path / "a.zip", 70)
    with pytest.raises(ClipError, match=r"a\.zip"):
        unpack_archive(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_huge_member_name_takes_no_memory(tmp_path, name):
    packed = _tar(tmp_path / name, {"0_real/" + "x" * (3 << 20): b"1"})
    with pytest.raises(ClipError, match="over 1 MiB of header"):
        unpack_archive(packed, tmp_path / "out")


def test_memory_an_archive_may_ask_for_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "MAX_DICTIONARY", 1 << 10)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("0_real/a.mp4", b"video")
    for packed in (tmp_path / "a.zip", _tar(tmp_path / "a.tar.xz", HONEST)):
        with pytest.raises(ClipError, match=r"too much memory|[Mm]emory usage limit"):
            unpack_archive(packed, tmp_path / "out")


def test_a_full_disk_is_not_the_archives_fault(tmp_path, monkeypatch):
    packed = _zip(tmp_path / "a.zip", HONEST)
    monkeypatch.setattr(archives, "SPARE_BYTES", 1 << 60)
    with pytest.raises(OSError, match="are free for unpacking"):
        unpack_archive(packed, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("cut", [slice(1030), slice(1024)])
def test_a_tar_without_its_end_mark_is_cut_off(tmp_path, cut):
    packed = _tar(tmp_path / "a.tar", {"0_real/a.mp4": b"1", "0_real/b.mp4": b"2"})
    packed.write_bytes(packed.read_bytes()[cut])
    with pytest.raises(ClipError, match="damaged or truncated"):
        unpack_archive(packed, tmp_path / "out")


def test_a_damaged_header_is_not_the_end(tmp_path):
    packed = _tar(tmp_path / "a.tar", {"0_real/a.mp4": b"1", "0_real/b.mp4": b"2"})
    _damaged(packed, 1024 + 3)
    with pytest.raises(ClipError, match="damaged or truncated"):
        unpack_archive(packed, tmp_path / "out")
