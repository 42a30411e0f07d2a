"""Warnings about a clip whose windows are built nevertheless."""

import numpy as np

from lipfd_jax.listing.clips import Clip
from lipfd_jax.preprocessing.audio import Sound
from lipfd_jax.preprocessing.clock import FileClock
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.paper_windows import find_holes
from lipfd_jax.preprocessing.video import VideoTrack
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW

_RELEASED_RATES = (23.0, 31.0)  # frames a second at which released windows are about as long as in AVLips
_TOLERATED = 0.5  # seconds by which sound and video may differ in length without a warning


def track_warnings(clip: Clip, clock: FileClock) -> list[str]:
    """Names the track and the channel that are read, where there were others."""
    audio = clock.audio_choice if clip.wav is None else None
    return [note for choice in (clock.video_choice, audio) if choice and (note := choice.describe())]


def damage_warnings(damage: Damage) -> list[str]:
    """Returns the warning of a clip kept despite damage, if any."""
    return [f"damaged: decoders reported {damage.places} places"] if damage.places else []


def sound_warnings(sound: Sound) -> list[str]:
    """Names silence, and how the sound was placed in time."""
    return ["silent sound"] * sound.is_silent + list(sound.warnings)


def length_warnings(track: VideoTrack, sound: Sound) -> list[str]:
    """Names sound that begins or ends elsewhere than the picture."""
    begin, end = (time - track.times[0] for time in (sound.start, sound.start + sound.seconds))
    if max(abs(begin), abs(end - track.seconds)) <= _TOLERATED:
        return []
    return [f"sound from {begin:.2f} to {end:.2f} s, video from 0 to {track.seconds:.2f} s"]


def picture_warnings(clock: FileClock, bounds: np.ndarray, frozen: np.ndarray) -> list[str]:
    """Names stretches from which no paper window is taken.

    Args:
      bounds: (frames + 1,) seconds; frame k is shown from entry k to entry k + 1.
      frozen: (frames,) bool: part of a picture that stands still.
    """
    lengths, found = np.diff(bounds), []
    if frozen.any():
        found.append(f"a frozen picture for {lengths[frozen].sum():.1f} s, not used")
    holes = find_holes(bounds)
    if holes[:-1].any():
        found.append(
            f"{holes[:-1].sum()} gaps between frames, {lengths[:-1][holes[:-1]].sum():.1f} s, not used"
        )
    if clock.unread:
        found.append(f"{clock.unread / 1e6:.1f} MB at its end are no part of it, not used")
    if clock.joins:
        places = ", ".join(f"{join - bounds[0]:.1f}" for join in clock.joins[:5])
        found.append(f"recordings joined at {places} s")
    return found


def rate_warnings(track: VideoTrack) -> list[str]:
    """Names a frame rate at which released windows are not those that the weights were trained on."""
    if _RELEASED_RATES[0] <= track.fps <= _RELEASED_RATES[1]:
        return []
    span = 1000 * FRAMES_PER_WINDOW / track.fps
    return [
        f"{track.fps:.1f} frames a second: a released window shows {span:.0f} ms instead of 200, so its "
        "scores mean little; paper windows suit any rate"
    ]
