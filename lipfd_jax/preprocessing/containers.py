"""Opens media files nobody vouches for: known containers only, no way to other files, bounded sizes."""

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import av

from lipfd_jax.listing.clips import ClipError

MAX_PIXELS = 4096 * 4096  # of one picture
SMALL_FILE = 1 << 20  # bytes; files up to this size get little memory, whatever they say about themselves
MAX_SECONDS = 1800.0  # of a clip; half an hour of sound is 160 MB, and its mel picture takes as much again
# Playlists, scripts and still pictures are containers to ffmpeg too, and can name other files: not these.
_FORMATS = "mov,matroska,webm,avi,mpeg,mpegvideo,mpegts,flv,asf,ogg,wav,w64,aiff,flac,mp3,aac"
_BUFFER = 1 << 16  # bytes read at once
_MACHINE_ERRORS = (errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # what is no fault of a file
# ffmpeg looks for other codecs inside of PCM, through megabytes of it, which takes longer than decoding all;
# the first few packets (64 kB) tell as well.
_WAV_PROBES = {"max_probe_packets": "4"}
# Tags that are not UTF-8 must not keep a clip from being read; PyAV 19 has no such argument any more.
_METADATA = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


DamagePolicy = Literal["refuse", "keep"]  # what to do with clips of which a decoder reports damage
DAMAGE_POLICIES: tuple[DamagePolicy, ...] = ("refuse", "keep")


@dataclass
class Damage:
    """What decoders reported of one clip: they conceal damage and go on, and only say so if asked."""

    policy: DamagePolicy = "refuse"
    places: int = 0
    times: list[float] = field(default_factory=list)  # of those known, seconds on the file's clock

    def record(self, path: Path, what: str, time: float | None = None) -> None:
        """Counts one report, or raises ClipError where such clips are refused."""
        if self.policy == "refuse":
            raise ClipError(f"{path}: damaged: {what}; --damaged=keep takes such clips, with a warning")
        self.places += 1
        if time is not None:
            self.times.append(time)


class _NamedFile:
    """A file whose failures name it, which the system's don't when reading."""

    def __init__(self, file: io.RawIOBase, path: Path):
        self._file, self._path = file, path

    def read(self, size: int = -1) -> bytes:
        """As the file does."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def open_container(path: Path) -> Iterator[av.container.InputContainer]:
    """A media file opened for reading.

    Raises ClipError, with name and reason, for what goes wrong inside; OSError for a disk that fails.
    """
    if not path.is_file():
        raise ClipError(f"{path}: no such file")
    if not path.stat().st_size:
        raise ClipError(f"{path}: an empty file")
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    options["max_pixels"] = str(MAX_PIXELS)  # of those decoded to find out what is in it
    try:
        # We read, not ffmpeg: it takes an I/O error for the end of the file, and names for addresses.
        with open(path, "rb", buffering=0) as file:
            named = _NamedFile(file, path)
            options |= _WAV_PROBES if _is_wav(named) else {}
            with av.open(named, options=options, buffer_size=_BUFFER, **_METADATA) as container:
                yield container
    except av.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"{path}: the decoder got no memory") from error
        if error.errno in _MACHINE_ERRORS:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise ClipError(
            f"{path}: can't be decoded ({error.strerror}); damaged, cut off or no media file"
        ) from error
    except IndexError as error:  # PyAV's, at a stream that was not there when it opened the file
        raise ClipError(f"{path}: streams appear on the way; damaged") from error


def _is_wav(file: _NamedFile) -> bool:
    head = file.read(12)
    file.seek(0)
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"


def decode_frames(
    path: Path,
    container: av.container.InputContainer,
    stream: av.stream.Stream,
    damage: Damage | None = None,
) -> Iterator[av.frame.Frame]:
    """The frames of a stream, as `container.decode` gives them, with an ear for what the decoder reports.

    See `decode_packet`. Raises ClipError.
    """
    damage = damage or Damage()
    for packet in container.demux(stream):
        yield from decode_packet(path, packet, damage)


def decode_packet(path: Path, packet: av.Packet, damage: Damage) -> Iterator[av.frame.Frame]:
    """The frames that a packet gives, with what the decoder reports of them told to `damage`.

    Damage is a packet marked as corrupt, a frame with concealed errors, or, where it is kept, a packet that
    can't be decoded at all. Not every changed byte shows: most codecs carry no check sums. Raises ClipError.
    """
    if packet.is_corrupt:
        damage.record(path, "a packet is marked as corrupt", _packet_time(packet))
    try:
        frames = packet.decode()
    except av.FFmpegError as error:
        if error.errno in _MACHINE_ERRORS:
            raise
        damage.record(path, f"can't be decoded ({error.strerror})", _packet_time(packet))
        return
    for frame in frames:
        if frame.is_corrupt:
            damage.record(path, "a frame was decoded with errors", frame.time)
        yield frame


def _packet_time(packet: av.Packet) -> float | None:
    return None if packet.pts is None else float(packet.pts * packet.time_base)


def find_stream(
    path: Path, container: av.container.InputContainer, kind: Literal["video", "audio"]
) -> av.stream.Stream:
    """The stream a player would choose. Raises ClipError where there is none or its codec is unknown."""
    name = {"video": "video stream", "audio": "sound track"}[kind]
    stream = container.streams.best(kind)
    if stream is None:
        raise ClipError(f"{path}: no {name}")
    if stream.codec_context is None:
        raise ClipError(f"{path}: the codec of its {name} is unknown here")
    return stream


def read_promised_seconds(path: Path) -> float:
    """Returns the duration that a file's header states; 0 where it states none or can't be opened."""
    try:
        with open_container(path) as container:
            return max((container.duration or 0) / 1e6, 0.0)
    except ClipError:
        return 0.0


def check_seconds(path: Path, seconds: float, longest: float | None = None) -> None:
    """Raises ClipError for a clip longer than `longest` seconds, by default `MAX_SECONDS`."""
    longest = longest or MAX_SECONDS
    if seconds > longest:
        raise ClipError(f"{path}: lasts over {longest / 60:.0f} minutes; cut it into shorter clips")
