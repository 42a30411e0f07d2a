"""Choice of a file's video stream, sound track and channels: made by one rule, once, for all its readers.

Video: the stream flagged as default, else the first; never a cover picture. Sound: of the tracks, the default
one first, the first with speech; of several channels the mean, except where it has less speech: the centre
channel of surround sound, or one of two channels that cancel each other out.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.containers import open_container
from lipfd_jax.preprocessing.speech_likeness import RATE, SPEECH, measure_speech

MEAN = ""  # the mean of all channels; otherwise ffmpeg's name of the channel that is taken
_CENTRE, _SIDES = "FC", ("FL", "FR")
_CHANNELS = {_CENTRE: "the centre channel", "FL": "the left channel", "FR": "the right channel"}
_PROBED = 60.0  # seconds of sound, silence not counted, that are enough to tell speech
_PLAIN = 20.0  # seconds that are enough for one stereo track whose channels agree
_LONGEST = 180.0  # seconds of the file that are looked at
_AUDIBLE = 1e-3  # quieter pieces, -60 dB, are silence
_AGREE = 0.3  # power of the mean over that of unrelated channels; stereo that cancels out has less
_CANCELS = 0.1
_CLEARLY = 0.35  # of the speech of the best track, that another one must have
_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_ASIDE = (  # tracks that are not the film's own sound
    Disposition.comment
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.karaoke
    | Disposition.clean_effects
    | Disposition.non_diegetic
    | Disposition.dub
)
_ASIDE_TITLES = re.compile(r"comment|kommentar|descri|deskription|director|karaoke|\bdub", re.IGNORECASE)
_STILL_CODECS = {"png", "mjpeg", "bmp", "gif", "webp", "tiff"}
# Two letters, and the older of two codes of three letters, by the newer code of three letters.
_LANGUAGES = {
    "de ger": "deu", "en": "eng", "fr fre": "fra", "es": "spa", "it": "ita", "pt": "por", "nl dut": "nld",
    "ru": "rus", "uk": "ukr", "pl": "pol", "cs cze": "ces", "sk slo": "slk", "ro rum": "ron", "hu": "hun",
    "el gre": "ell", "tr": "tur", "sv": "swe", "da": "dan", "no": "nor", "nb": "nob", "fi": "fin",
    "zh chi": "zho", "ja": "jpn", "ko": "kor", "ar": "ara", "he": "heb", "fa per": "fas", "hi": "hin",
    "bg": "bul", "hr": "hrv", "sr": "srp", "sl": "slv", "sq alb": "sqi", "mk mac": "mkd", "ka geo": "kat",
    "hy arm": "hye", "is ice": "isl", "eu baq": "eus", "cy wel": "cym", "ca": "cat", "vi": "vie",
    "th": "tha", "id": "ind", "ms may": "msa", "my bur": "mya", "bo tib": "bod", "mi mao": "mri",
}  # fmt: skip
_NEWER = {old: new for olds, new in _LANGUAGES.items() for old in olds.split()}


@dataclass(frozen=True)
class TrackRequest:
    """Tracks that a user asks for. Raises ValueError for what can be no track."""

    audio: str = ""  # number from 1, or a language such as "deu"; "": the first with speech
    video: int = 0  # number from 1; 0: the default one

    def __post_init__(self) -> None:
        if self.video < 0:
            raise ValueError(f"video track {self.video}: expected a number from 1")
        if not re.fullmatch(r"|[1-9]\d*|[a-zA-Z]{2,3}([-_].*)?", self.audio):
            expected = "a number from 1, or a language of two or three letters such as deu"
            raise ValueError(f"audio track {self.audio!r}: expected {expected}")


NO_REQUEST = TrackRequest()


@dataclass(frozen=True)
class VideoChoice:
    """The video stream that is read."""

    index: int  # among all streams of the file
    number: int  # among its video streams, from 1
    count: int  # of video streams, covers not counted


@dataclass(frozen=True)
class AudioChoice:
    """The sound track that is read."""

    index: int  # among all streams of the file
    number: int  # among its sound tracks, from 1
    count: int
    language: str = ""  # of three letters, as the file says; "": it says none
    channel: str = MEAN  # ffmpeg's name of the channel that is taken wherever there is one of this name
    cancels: bool = False  # whether it is taken because the channels cancel each other out
    spoken: tuple[int, ...] = ()  # numbers of the tracks in which speech was heard; empty: not looked for
    requested: bool = False

    @property
    def channels_taken(self) -> str:
        """The channels taken, in words; "" for the mean, which needs none."""
        return _CHANNELS.get(self.channel, self.channel)


def choose_video(
    path: Path, container: av.container.InputContainer, request: TrackRequest = NO_REQUEST
) -> VideoChoice:
    """Chooses a video stream by the file's header.

    Raises ClipError if there is none, or not the requested one, or if its codec is unknown.
    """
    streams = list_videos(container)
    if not streams:
        covers = " but cover pictures" if container.streams.video else ""
        raise ClipError(f"{path}: no video stream{covers}")
    if request.video > len(streams):
        raise ClipError(f"{path}: no video track {request.video}; {_count(len(streams), 'video track')}")
    if request.video:
        found = streams[request.video - 1]
    else:
        usable = [stream for stream in streams if stream.codec_context is not None] or streams
        found = min(usable, key=lambda stream: not stream.disposition & Disposition.default)
    _check_codec(path, found, "video stream")
    return VideoChoice(found.index, streams.index(found) + 1, len(streams))


def list_videos(container: av.container.InputContainer) -> list[av.VideoStream]:
    """Lists the video streams of a file, without covers and thumbnails."""
    moving = [stream for stream in container.streams.video if not stream.disposition & _PICTURES]
    more = [stream for stream in moving if not _is_still(stream)]
    return more or moving


def _is_still(stream: av.VideoStream) -> bool:
    """Whether a stream is a cover that is not flagged as one."""
    context = stream.codec_context
    return context is not None and context.name in _STILL_CODECS and stream.frames == 1


def choose_audio(
    path: Path, container: av.container.InputContainer, request: TrackRequest = NO_REQUEST
) -> AudioChoice:
    """Chooses a sound track and its channels, listening to the file where the header does not decide.

    A single mono track is chosen by the header alone; a single stereo track after at most 20 s of its sound;
    of several tracks, and of surround sound, up to a minute of sound is compared, once for a file.
    Raises ClipError if there is none, or not the requested one, or if its codec is unknown.
    """
    tracks = list(container.streams.audio)
    if not tracks:
        raise ClipError(f"{path}: no sound track")
    asked = [tracks[number - 1] for number in _select_numbers(path, tracks, request.audio)]
    candidates = [track for track in asked if track.codec_context is not None]
    if not candidates:
        _check_codec(path, asked[0], "sound track")
    ranked = sorted(candidates, key=functools.partial(_rank, container))
    heard = {track.index: Impression() for track in ranked}
    if len(ranked) > 1 or ranked[0].channels > 1:
        state = path.stat()
        heard = _listen(path, state.st_size, state.st_mtime_ns, tuple(heard))
    least = max(SPEECH, _CLEARLY * max(found.speech for found in heard.values()))
    spoken = [track for track in ranked if heard[track.index].speech >= least]
    taken = (spoken or ranked)[0]
    return AudioChoice(
        index=taken.index,
        number=tracks.index(taken) + 1,
        count=len(tracks),
        language=read_language(taken),
        channel=heard[taken.index].channel,
        cancels=heard[taken.index].cancels,
        spoken=tuple(sorted(tracks.index(track) + 1 for track in spoken)) if len(ranked) > 1 else (),
        requested=bool(request.audio),
    )


def split_channels(frame: av.AudioFrame) -> np.ndarray:
    """Returns the samples (channels, n) of a packed frame: PyAV crashes on planar ones of eight channels."""
    return np.ascontiguousarray(frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T)


def take_channel(samples: np.ndarray, layout: av.AudioLayout, channel: str) -> np.ndarray:
    """Returns one channel of samples (channels, n), or (n,) their mean where no channel has that name."""
    if len(samples) == 1:
        return samples[0]
    names = _name_channels(layout) if channel else []
    return samples[names.index(channel)] if channel in names else samples.mean(axis=0)


def _name_channels(layout: av.AudioLayout) -> list[str]:
    """ffmpeg's names of the channels; two are left and right, whatever the file calls them."""
    names = [channel.name for channel in layout.channels]
    return list(_SIDES) if len(names) == len(_SIDES) else names


def read_language(stream: av.stream.Stream) -> str:
    """The language of a stream as its newer code of three letters; "" for none."""
    return _normalise_language(stream.metadata.get("language", ""))


def _normalise_language(code: str) -> str:
    base = re.split(r"[-_]", code.strip().lower())[0]
    return "" if base == "und" else _NEWER.get(base, base)


def _select_numbers(path: Path, tracks: Sequence[av.AudioStream], wanted: str) -> list[int]:
    """Numbers of the tracks that are asked for, all if none is. Raises ClipError if there is no such one."""
    numbers = list(range(1, len(tracks) + 1))
    if not wanted:
        return numbers
    if wanted.isdigit():
        found = [number for number in numbers if number == int(wanted)]
    else:
        language = _normalise_language(wanted)
        found = [n for n, track in enumerate(tracks, 1) if read_language(track) == language]
    if not found:
        languages = [read_language(track) or "no language" for track in tracks]
        listed = ", ".join(f"{number}: {language}" for number, language in enumerate(languages, 1))
        raise ClipError(f"{path}: no sound track {wanted}; {_count(len(tracks), 'sound track')} ({listed})")
    return found


def _count(count: int, name: str) -> str:
    return f"the file has {count} {name}{'s' * (count != 1)}"


def _check_codec(path: Path, stream: av.stream.Stream, name: str) -> None:
    if stream.codec_context is None:
        raise ClipError(f"{path}: the codec of its {name} is unknown here")


def _rank(container: av.container.InputContainer, track: av.AudioStream) -> tuple[bool, bool, bool]:
    """Sort key: tracks of the video's programme first, commentaries last, the default one before others."""
    video = container.streams.best("video")
    other = video is not None and container.streams.best("video", related=track) != video
    title = track.metadata.get("title", "") + " " + track.metadata.get("handler_name", "")
    aside = bool(track.disposition & _ASIDE) or bool(_ASIDE_TITLES.search(title))
    return other, aside, not track.disposition & Disposition.default


@dataclass(frozen=True)
class Impression:
    """What the beginning of a track says about it."""

    speech: float = 0.0  # likeness to speech of the channel to take
    channel: str = MEAN
    cancels: bool = False  # whether it is taken because the channels cancel each other out


@dataclass
class _Heard:
    """The beginning of a track, and how its channels agree."""

    # By channel, MEAN among them: pieces (n,) float32 at 16 kHz.
    parts: dict[str, list[np.ndarray]] = field(default_factory=dict)
    mean_power: float = 0.0  # sums over all samples
    apart_power: float = 0.0  # of the mean, if the channels were unrelated
    agree: bool = True  # in every audible piece
    seconds: float = 0.0  # audible ones

    def add(self, samples: np.ndarray, names: Sequence[str]) -> None:
        """Adds samples (channels, n) with their channels' names, unless they are silent."""
        if not samples.size or np.abs(samples).max() < _AUDIBLE:
            return
        mean = samples.mean(axis=0)
        powers = (samples**2).sum(axis=1)
        power, apart = float((mean**2).sum()), float(powers.sum()) / len(samples) ** 2
        self.mean_power, self.apart_power = self.mean_power + power, self.apart_power + apart
        self.agree &= power >= _AGREE * apart
        self.seconds += samples.shape[1] / RATE
        self.parts.setdefault(MEAN, []).append(mean)
        for name in (_CENTRE, *_SIDES):
            if len(samples) > 1 and name in names:
                self.parts.setdefault(name, []).append(samples[names.index(name)])

    @functools.cached_property
    def speeches(self) -> dict[str, float]:
        """Likeness to speech by channel."""
        return {name: measure_speech(np.concatenate(parts)) for name, parts in self.parts.items()}

    def conclude(self, alone: bool) -> Impression:
        """Chooses the channel; a track that is `alone` needs no speech."""
        channel, cancels = self._take_channel()
        return Impression(0.0 if alone else self.speeches.get(channel, 0.0), channel, cancels)

    def _take_channel(self) -> tuple[str, bool]:
        """The channel to take, and whether because of channels that cancel each other out."""
        if len(self.parts) < 2:
            return MEAN, False
        if _CENTRE in self.parts:
            return self._take_centre()
        if self.agree:
            return MEAN, False
        loud = max(_SIDES, key=lambda name: self.speeches.get(name, 0.0))
        if loud not in self.parts:
            return MEAN, False
        if self.mean_power < _CANCELS * self.apart_power:
            return self._loudest_side(), True
        heard = self.speeches[loud]
        return (loud, True) if heard >= SPEECH and self.speeches[MEAN] < heard / 2 else (MEAN, False)

    def _take_centre(self) -> tuple[str, bool]:
        centre, others = self.speeches[_CENTRE], self.speeches[MEAN]
        return (_CENTRE, False) if centre >= max(SPEECH, others / 2) else (MEAN, False)

    def _loudest_side(self) -> str:
        powers = {
            name: sum(float((part**2).sum()) for part in self.parts[name])
            for name in _SIDES
            if name in self.parts
        }
        return max(powers, key=lambda name: powers[name])


@functools.lru_cache(maxsize=64)
def _listen(path: Path, size: int, changed: int, indices: tuple[int, ...]) -> dict[int, Impression]:
    """Listens to the beginning of tracks, decoding each once; size and time of change identify the file."""
    heard, alone = {index: _Heard() for index in indices}, len(indices) == 1
    with open_container(path) as container:
        streams = [container.streams[index] for index in indices]
        listeners = {stream.index: _Listener(heard[stream.index]) for stream in streams}
        first: float | None = None
        for packet in container.demux(*streams):
            now = None if packet.pts is None else float(packet.pts * packet.time_base)
            first = now if first is None else first
            if now is not None and first is not None and now - first > _LONGEST:
                break
            listeners[packet.stream.index].hear(packet)
            if all(_is_enough(track, alone) for track in heard.values()):
                break
        for listener in listeners.values():
            listener.flush()
    return {index: track.conclude(alone) for index, track in heard.items()}


def _is_enough(heard: _Heard, alone: bool) -> bool:
    plain = alone and heard.agree and _CENTRE not in heard.parts
    return heard.seconds >= (_PLAIN if plain else _PROBED)


class _Listener:
    """Decodes a track at 16 kHz, a second at a time; what can't be decoded is left to the track's reader."""

    def __init__(self, heard: _Heard):
        self._heard = heard
        self._resampler, self._form = av.AudioResampler(format="flt", rate=RATE), None
        self._waiting: list[np.ndarray] = []
        self._names: list[str] = []

    def hear(self, packet: av.Packet) -> None:
        """Decodes a packet."""
        try:
            for frame in packet.decode():
                self._add(frame)
        except (av.FFmpegError, ValueError):
            return

    def _add(self, frame: av.AudioFrame) -> None:
        form = frame.layout.name, frame.sample_rate, frame.format.name
        if form != self._form:
            self.flush()
            self._resampler, self._form = av.AudioResampler(format="flt", rate=RATE), form
            self._names = _name_channels(frame.layout)
        frame.pts = None  # gaps are of no interest
        self._waiting += [split_channels(piece) for piece in self._resampler.resample(frame)]
        if sum(piece.shape[1] for piece in self._waiting) >= RATE:
            self.flush()

    def flush(self) -> None:
        """Passes on what was decoded."""
        if self._waiting:
            self._heard.add(np.concatenate(self._waiting, axis=1), self._names)
            self._waiting.clear()
