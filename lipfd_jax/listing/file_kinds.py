"""Kinds of files, by suffix and by first bytes: which are videos, and what the others are."""

import os
import re
from pathlib import Path

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".f4v", ".3gp", ".3gpp", ".3g2", ".3gp2"),
    *(".mkv", ".mk3d", ".webm", ".avi", ".divx", ".flv", ".wmv", ".asf", ".ogv", ".ogm"),
    *(".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".m2p", ".mpv", ".mp2v"),
    *(".vob", ".vro", ".evo", ".mod", ".tod"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".tp", ".trp", ".mxf", ".dv", ".dif"),
    *(".gxf", ".wtv", ".rm", ".rmvb"),
)
# Kinds: words for messages.
VIDEO, SOUND, PICTURE = "a video", "sound without a picture", "a picture"
TEXT, DOCUMENT, ARCHIVE, PLAYLIST = "text", "a document", "an archive: unpack it", "a playlist"

UNREAD = "a video of a kind that is not read here: convert it, as with ffmpeg -i FILE out.mp4"
BARE = (
    "without a container, which has no sound; put both into one file, as with ffmpeg -i FILE -i SOUND out.mp4"
)
_AMBIGUOUS = {".ts", ".mts", ".mod", ".tp"}  # of source code and other texts too
_UNFINISHED = re.compile(
    r"\.(part(-frag\d+)?|crdownload|partial|filepart|opdownload|download|ytdl|aria2|!ut|!qb|bc!)$", re.I
)
_KINDS = {
    PICTURE: ".jpg .jpeg .png .gif .bmp .tif .tiff .webp .heic .heif .avif .svg .psd .dng .cr2 .nef .thm",
    SOUND: ".wav .mp3 .m4a .aac .flac .oga .opus .wma .aif .aiff .ac3 .amr .mka .weba",
    TEXT: ".txt .md .csv .tsv .json .jsonl .xml .srt .vtt .ass .log .yaml .yml .py .sh .js .css .nfo .edl",
    "a web page": ".html .htm .mhtml .url .webloc",
    DOCUMENT: ".pdf .doc .docx .xls .xlsx .ppt .pptx .odt .ods .rtf .pages .numbers",
    ARCHIVE: ".zip .rar .7z .tar .gz .tgz .bz2 .xz .iso .dmg",
    PLAYLIST: ".m3u .m3u8 .pls .mpd .xspf",
    UNREAD: ".swf .ivf .y4m .nut .braw .r3d .h264 .264 .h265 .265 .hevc .mjpeg .bik .amv .dav",
}
_KIND_BY_SUFFIX = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}

_BOXES = 10_000  # of an MP4 file that are looked at
_HEAD = 4096  # bytes that identify a kind
_CONTROLS = bytes({*range(9), 11, *range(14, 27), *range(28, 32), 127})  # never in text of 8 bits
_TEXTS = (  # by their beginning, in small letters
    (("<!doctype html", "<html"), "a web page, as a download of an address gives it"),
    (("#extm3u", "[playlist]"), PLAYLIST),
    (("version https://git-lfs",), "a pointer of Git LFS: fetch the file with git lfs pull"),
)
_SIGNATURES = {  # of each kind: offset and bytes
    VIDEO: (
        (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
        (0, b"FLV\x01"),
        (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF
        (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02"),  # MXF
        (0, b"\0\0\x01\xba"),  # MPEG program stream
        (0, b"\0\0\x01\xb3"),  # MPEG video
        (0, b"\x1f\x07\x00\x3f"),  # DV, 525 lines
        (0, b"\x1f\x07\x00\xbf"),  # DV, 625 lines
        (0, b".RMF"),  # RealMedia
        (0, b"\xb7\xd8\x00\x20\x37\x49\xda\x11"),  # WTV
        (0, b"\0\0\0\0\x01\xbc"),  # GXF
        *((4, box) for box in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),  # old QuickTime
        *((8, form) for form in (b"AVI ", b"AVIX")),
    ),
    SOUND: (
        *((0, mark) for mark in (b"ID3", b"fLaC", b"caff", b".snd", b"#!AMR", b"\x0bw", b"FORM")),
        (8, b"WAVE"),
    ),
    PICTURE: (
        *((0, mark) for mark in (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")),
        (8, b"WEBP"),
    ),
    DOCUMENT: ((0, b"%PDF"), (0, b"\xd0\xcf\x11\xe0")),
    ARCHIVE: tuple((0, mark) for mark in (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")),
    "a program": ((0, b"\x7fELF"), (0, b"MZ")),
    "what a Mac keeps besides a file (AppleDouble)": ((0, b"\0\x05\x16\x07"),),
    f"NUT, {UNREAD}": ((0, b"nut/multimedia container"),),
    f"IVF, {UNREAD}": ((0, b"DKIF"),),
    f"Y4M, {UNREAD}": ((0, b"YUV4MPEG2 "),),
    f"DAV of a camera, {UNREAD}": ((0, b"DHAV"),),
    f"Flash, {UNREAD}": ((0, b"FWS"), (0, b"CWS"), (0, b"ZWS")),
    f"Bink, {UNREAD}": ((0, b"BIK"), (0, b"KB2")),
    f"RED, {UNREAD}": ((4, b"RED2"),),
    f"AMV, {UNREAD}": ((8, b"AMV "),),
    f"H.264 {BARE}": tuple((0, b"\0\0\0\x01" + unit) for unit in (b"\x67", b"\x27", b"\x09", b"\x06")),
    f"H.265 {BARE}": tuple((0, b"\0\0\0\x01" + unit) for unit in (b"\x40\x01", b"\x46\x01")),
}
_KIND_BY_BRAND = {  # of files of the MP4 family; those of videos are many
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), PICTURE),
    **dict.fromkeys((b"avif", b"avis", b"crx "), PICTURE),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), SOUND),
}
_OGG_VIDEO = (b"theora", b"fishead", b"BBCD", b"OVP80", b"video\0")


def find_kind_problem(path: Path) -> str:
    """Returns why a regular file is not taken as a video; empty if it is one by its suffix or content.

    Content is read only where the suffix does not decide: a file without one, or with an unknown one.
    """
    suffix = path.suffix.lower()
    if _UNFINISHED.search(path.name):
        return "an unfinished download"
    if suffix in VIDEO_SUFFIXES and suffix not in _AMBIGUOUS:
        return ""
    if suffix in _KIND_BY_SUFFIX:
        return f"not a video: {_KIND_BY_SUFFIX[suffix]}"
    try:
        kind = read_kind(path)
    except OSError as error:
        return f"can't be read: {error.strerror or error}"
    if suffix in VIDEO_SUFFIXES:
        return f"not a video: {kind}" if kind == TEXT else ""
    return "" if kind == VIDEO else f"not a video: {kind or 'unknown content'}"


def read_kind(path: Path) -> str:
    """Returns the kind of a file by its first bytes: `VIDEO`, words for another kind, "" if unknown.

    Raises OSError.
    """
    with open(path, "rb") as file:
        return name_kind(file.read(_HEAD))


def name_kind(head: bytes) -> str:
    """Returns the kind of a file of which these are the first bytes, as `read_kind`."""
    if not head:
        return "an empty file"
    if not head.strip(b"\0"):
        return "zeros at its beginning, as in an unfinished download"
    if text := _name_text(head):
        return text
    if head[4:8] == b"ftyp":
        return _KIND_BY_BRAND.get(head[8:12], VIDEO)
    if head.startswith(b"OggS"):
        return VIDEO if any(mark in head for mark in _OGG_VIDEO) else SOUND
    if _is_transport_stream(head):
        return VIDEO
    signatures = ((kind, *place) for kind, places in _SIGNATURES.items() for place in places)
    return next((kind for kind, offset, mark in signatures if head.startswith(mark, offset)), "")


def lacks_index(path: Path) -> bool:
    """Whether a file of the MP4 family has no `moov` box, which cameras and downloads write at the end.

    Raises OSError.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        place = 0
        for _ in range(_BOXES):
            file.seek(place)
            head = file.read(16)
            if len(head) < 8 or head[4:8] in (b"moov", b"moof"):
                return len(head) < 8 and place > 0
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length or size
            if not place and head[4:8] != b"ftyp":
                return False
            if length < 8:
                return False
            place += length
    return False


def _name_text(head: bytes) -> str:
    """The kind of a text; empty for other content."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in head:  # UTF-16 marks its byte order
        return TEXT
    if head.translate(None, _CONTROLS) != head:
        return ""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().decode("latin-1")
    return next((kind for beginnings, kind in _TEXTS if start.startswith(beginnings)), TEXT)


def _is_transport_stream(head: bytes) -> bool:
    """Whether five packets of 188 or 192 bytes follow each other, from any place on."""
    return any(
        head[first : first + 5 * size : size] == b"\x47" * 5 for size in (188, 192) for first in range(size)
    )
