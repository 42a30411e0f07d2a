"""Choice of a file's video stream, sound track and channels: made by one rule, once, for all its readers.

Video: the stream flagged as default, else the first; never a cover picture. Sound: of the tracks, the default
one first, the first with speech; of several channels the mean, except where it has less speech: the centre
channel of surround sound, or one of two channels that cancel each other out.
"""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import av
from av.stream import Disposition

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.languages import normalise_language, read_language
from lipfd_jax.preprocessing.speech_likeness import SPEECH
from lipfd_jax.preprocessing.track_choices import (
    NO_REQUEST,
    AudioChoice,
    MissingStream,
    TrackRequest,
    VideoChoice,
)
from lipfd_jax.preprocessing.track_listening import Impression, listen

_CLEARLY = 0.4  # of the speech of the best track, that another one must have
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
_ASIDE_TITLES = re.compile(r"com+ent|kommentar|descri|deskription|director|karaoke|\bdub", re.IGNORECASE)
_STILL_CODECS = {"png", "mjpeg", "bmp", "gif", "webp", "tiff"}


def choose_video(
    path: Path, container: av.container.InputContainer, request: TrackRequest = NO_REQUEST
) -> VideoChoice:
    """Chooses a video stream by the file's header.

    Raises ClipError if the requested one does not exist, MissingStream if there is none, or none with a known
    codec.
    """
    streams = list_videos(container)
    if not streams:
        covers = " but cover pictures" if container.streams.video else ""
        raise MissingStream(f"{path}: no video stream{covers}")
    if request.video > len(streams):
        raise ClipError(f"{path}: no video track {request.video}; {_count(len(streams), 'video track')}")
    if request.video:
        found = streams[request.video - 1]
    else:
        usable = [stream for stream in streams if stream.codec_context is not None] or streams
        found = min(usable, key=lambda stream: not stream.disposition & Disposition.default)
    _check_codec(path, found, "video stream")
    return VideoChoice(found.index, streams.index(found) + 1, len(streams), bool(request.video))


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
    Raises ClipError if the requested one does not exist, MissingStream if there is none, or none with a known
    codec.
    """
    tracks = list(container.streams.audio)
    if not tracks:
        raise MissingStream(f"{path}: no sound track")
    asked = [tracks[number - 1] for number in _select_numbers(path, tracks, request.audio)]
    candidates = [track for track in asked if track.codec_context is not None]
    if not candidates:
        _check_codec(path, asked[0], "sound track")
    ranked = sorted(candidates, key=functools.partial(_rank, container))
    heard = {track.index: Impression() for track in ranked}
    if len(ranked) > 1 or ranked[0].channels > 1:
        state = path.stat()
        heard = listen(path, state.st_size, state.st_mtime_ns, tuple(heard))
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


def _select_numbers(path: Path, tracks: Sequence[av.AudioStream], wanted: str) -> list[int]:
    """Numbers of the tracks that are asked for, all if none is. Raises ClipError if there is no such one."""
    numbers = list(range(1, len(tracks) + 1))
    if not wanted:
        return numbers
    if wanted.isdigit():
        found = [number for number in numbers if number == int(wanted)]
    else:
        language = normalise_language(wanted)
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
        raise MissingStream(f"{path}: the codec of its {name} is unknown here")


def _rank(container: av.container.InputContainer, track: av.AudioStream) -> tuple[bool, bool, bool]:
    """Sort key: tracks of the video's programme first, commentaries last, the default one before others."""
    video = container.streams.best("video")
    other = video is not None and container.streams.best("video", related=track) != video
    title = track.metadata.get("title", "") + " " + track.metadata.get("handler_name", "")
    aside = bool(track.disposition & _ASIDE) or bool(_ASIDE_TITLES.search(title))
    return other, aside, not track.disposition & Disposition.default
