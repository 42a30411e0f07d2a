"""Opens untrusted media files: known containers only, no access to other files, limited sizes."""

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import av

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.file_kinds import BARE, SOUND, UNREAD, VIDEO, lacks_index, read_kind
from lipfd_jax.preprocessing.clock import Stamp, StreamClock

MAX_PIXELS = 4096 * 4096  # largest frame
SMALL_FILE = 1 << 20  # bytes; files up to this size get little memory, whatever their headers declare
MAX_SECONDS = 1800.0  # longest clip; half an hour of sound is 160 MB, and its mel image takes as much again
# Containers that people have, all of which hold everything themselves. Not playlists, scripts and still
# images: to ffmpeg they are containers too, and can name other files or addresses.
_FORMATS = (
    "mov,matroska,webm,avi,mpeg,mpegvideo,mpegts,flv,asf,ogg,mxf,dv,gxf,wtv,rm"
    ",wav,w64,aiff,caf,au,flac,mp3,aac,ac3,eac3,amr"
)
_BUFFER = 1 << 16  # bytes read at once
MACHINE_ERRORS = (errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # not the fault of a file
# ffmpeg probes megabytes of PCM for other codecs, which takes longer than decoding; the first few packets
# (64 kB) suffice.
_WAV_PROBES = {"max_probe_packets": "4"}
# Containers in which a stream can begin late: where no sound is found at first, more of the file is searched.
_LATE_STREAMS = ("mpegts", "mpeg", "flv")
_LATE_PROBES = {"probesize": str(128 << 20), "analyzeduration": str(3600 * 10**6)}  # bytes, microseconds
# Tags that are not UTF-8 must not prevent reading a clip; PyAV 19 no longer has this argument.
_METADATA = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


DamagePolicy = Literal["refuse", "keep"]  # for clips of which a decoder reports damage
DAMAGE_POLICIES: tuple[DamagePolicy, ...] = ("refuse", "keep")


@dataclass
class Damage:
    """Damage of one clip as reported by decoders, which conceal it and continue unless asked to report it."""

    policy: DamagePolicy = "refuse"
    places: int = 0
    times: list[float] = field(default_factory=list)  # when, if known; seconds on the file's clock

    def record(self, path: Path, report: str, time: float | None = None) -> None:
        """Counts one report, or raises ClipError if damaged clips are refused."""
        if self.policy == "refuse":
            raise ClipError(f"{path}: damaged: {report}; --damaged=keep accepts such clips, with a warning")
        self.places += 1
        if time is not None:
            self.times.append(time)


class _NamedFile:
    """A file whose read errors name it, unlike the system's."""

    def __init__(self, file: io.RawIOBase, path: Path):
        self._file, self._path = file, path

    def read(self, size: int = -1) -> bytes:
        """Reads as the file does."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def open_container(path: Path) -> Iterator[av.container.InputContainer]:
    """Opens a media file for reading.

    Raises ClipError, with name and reason, for faults of the file; OSError for a failing disk.
    """
    if not path.is_file():
        raise ClipError(f"{path}: no such file")
    if not path.stat().st_size:
        raise ClipError(f"{path}: an empty file")
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    options["max_pixels"] = str(MAX_PIXELS)  # limits frames decoded to identify streams
    try:
        # Python reads, not ffmpeg, which treats an I/O error as the end of the file, and names as addresses.
        with open(path, "rb", buffering=0) as file:
            named = _NamedFile(file, path)
            options |= _WAV_PROBES if _is_wav(named) else {}
            with _open(named, options) as container:
                if not _lacks_sound(container):
                    yield container
                    return
            file.seek(0)
            with _open(named, options | _LATE_PROBES) as container:
                yield container
    except av.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"{path}: the decoder got no memory") from error
        if error.errno in MACHINE_ERRORS:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise ClipError(f"{path}: {_explain_failure(path, error)}") from error


def _explain_failure(path: Path, error: av.FFmpegError) -> str:
    """Why a file can't be decoded: what it is instead of a video, or that it is damaged."""
    kind, unfinished = "", False
    with suppress(OSError):
        kind, unfinished = read_kind(path), lacks_index(path)
    if unfinished:
        return (
            "can't be decoded, as its index (moov) is missing: the recording, copy or download was not "
            "finished"
        )
    if isinstance(error, av.error.PatchWelcomeError):
        return f"holds what can't be decoded here; convert it, as with ffmpeg -i {path.name} out.mp4"
    if not kind and error.errno == errno.EINVAL:
        return f"its container is not read here; convert it, as with ffmpeg -i {path.name} out.mp4"
    if kind in ("", VIDEO, SOUND):
        return f"can't be decoded ({error.strerror}); damaged, truncated or not a media file"
    if kind.endswith((UNREAD, BARE)):
        return f"can't be decoded: {kind}"
    return f"can't be decoded, as it is not {'sound' if path.suffix.lower() == '.wav' else 'a video'}: {kind}"


def _open(file: _NamedFile, options: dict[str, str]) -> av.container.InputContainer:
    return av.open(file, options=options, buffer_size=_BUFFER, **_METADATA)


def _lacks_sound(container: av.container.InputContainer) -> bool:
    """Whether a container without sound so far is one in which it may begin later."""
    return not container.streams.audio and container.format.name in _LATE_STREAMS


def _is_wav(file: _NamedFile) -> bool:
    head = file.read(12)
    file.seek(0)
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"


def demux_packets(
    path: Path, container: av.container.InputContainer, *streams: av.stream.Stream
) -> Iterator[av.Packet]:
    """Yields the packets of these streams, or of all without any, as `container.demux` does.

    Raises ClipError for a stream that was not there when the file was opened, on which PyAV fails.
    """
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError as error:
            raise ClipError(
                f"{path}: a track begins far inside the file, too late to be read; remux it, for example by "
                "ffmpeg -i FILE -c copy NEW"
            ) from error
        yield packet


def decode_frames(
    path: Path,
    container: av.container.InputContainer,
    stream: av.stream.Stream,
    damage: Damage | None = None,
    clock: StreamClock | None = None,
) -> Iterator[av.frame.Frame]:
    """Yields the frames of a stream, as `container.decode` does, recording damage.

    Args:
      clock: corrects the times of the frames; only from the beginning of the file.

    See `decode_packet`. Raises ClipError.
    """
    damage = damage or Damage()
    stamp = None if clock is None else Stamp(clock)
    for packet in demux_packets(path, container, stream):
        at_seam = stamp is not None and stamp.correct(packet)
        yield from decode_packet(path, packet, damage, at_seam=at_seam)


def decode_packet(
    path: Path, packet: av.Packet, damage: Damage, *, at_seam: bool = False
) -> Iterator[av.frame.Frame]:
    """Yields the frames of a packet; records reports of the decoder in `damage`.

    Damage is a packet marked as corrupt (but not at the seam of two recordings, where counters start anew),
    a frame with concealed errors, or, if damage is kept, a packet that can't be decoded at all. Not every
    changed byte shows: most codecs have no checksums. Raises ClipError.
    """
    if packet.is_corrupt and not at_seam:
        damage.record(path, "a packet is marked as corrupt", _packet_time(packet))
    try:
        frames = packet.decode()
    except av.FFmpegError as error:
        if error.errno in MACHINE_ERRORS:
            raise
        damage.record(path, f"can't be decoded ({error.strerror})", _packet_time(packet))
        return
    for frame in frames:
        if frame.is_corrupt:
            damage.record(path, "a frame was decoded with errors", frame.time)
        yield frame


def _packet_time(packet: av.Packet) -> float | None:
    return None if packet.pts is None else float(packet.pts * packet.time_base)


def describe_stream(stream: av.stream.Stream) -> dict[str, Any]:
    """Returns codec, bit rate and format of a video stream or a sound track."""
    context = stream.codec_context
    if context is None:
        return {"codec": "unknown", "bit_rate": None}
    facts: dict[str, Any] = {"codec": context.name, "bit_rate": context.bit_rate or None}
    if stream.type == "video":
        return {**facts, "pixel_format": context.pix_fmt}
    return {**facts, "rate": context.sample_rate, "channels": context.channels}


def read_promised_seconds(path: Path) -> float:
    """Returns the duration that a file's header states; 0 where it states none or can't be opened."""
    try:
        with open_container(path) as container:
            return promised_seconds(container)
    except ClipError:
        return 0.0


def promised_seconds(container: av.container.InputContainer) -> float:
    """Returns the duration that the header of an open file states; 0 where it states none."""
    return max((container.duration or 0) / 1e6, 0.0)


def check_seconds(path: Path, seconds: float, longest: float | None = None) -> None:
    """Raises ClipError for a clip longer than `longest` seconds, by default `MAX_SECONDS`."""
    longest = longest or MAX_SECONDS
    if seconds > longest:
        raise ClipError(f"{path}: lasts over {longest / 60:.0f} minutes; cut it into shorter clips")
