"""Sound of a clip: the wav beside its video, else the track inside."""

from dataclasses import replace

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.audio import Sound, read_sound
from lipfd_jax.preprocessing.clock import FileClock
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.separate_sound import place_separate_sound
from lipfd_jax.preprocessing.track_choices import TrackRequest
from lipfd_jax.vocabulary import WindowConvention


def request_tracks(clip: Clip, tracks: TrackRequest) -> TrackRequest:
    """The tracks to ask a clip's video for: no sound track if the clip has a wav beside it."""
    return tracks if clip.wav is None else replace(tracks, audio="")


def read_clip_sound(
    clip: Clip, clock: FileClock, damage: Damage, convention: WindowConvention = "paper"
) -> Sound:
    """Reads a clip's sound: its wav, placed by `place_separate_sound`, else the track inside the video.

    Released windows do not depend on where the wav starts, and are only warned of one that is not in place.
    Raises ClipError also for a wav with another sound than the video's track, and where the track's clock
    contradicts that of the picture.
    """
    if clip.wav is not None:
        return _place_wav(clip, read_sound(clip.wav, damage), clock, convention)
    sound = read_sound(clip.path, damage, clock.audio)
    for begin, _ in clock.undecided:
        raise ClipError(
            f"{clip.path}: from {begin - clock.start:.1f} s on, the times of its picture and its sound "
            "contradict each other, as in a badly joined recording; cut it there"
        )
    return sound


def _place_wav(clip: Clip, sound: Sound, clock: FileClock, convention: WindowConvention) -> Sound:
    placed = place_separate_sound(clip.path, sound.samples, clock)
    if convention == "released":
        found = placed.fault or placed.warning
        return Sound(sound.samples, clock.start, (f"{found}; released windows ignore that",) if found else ())
    if placed.fault:
        raise ClipError(f"{clip.wav}: {placed.fault}; remove the wrong one of the two")
    return Sound(sound.samples, placed.start, (placed.warning,) if placed.warning else ())
