"""Channels of sound: their names, and the one that is taken instead of the mean of all."""

import av
import numpy as np

MEAN = ""  # the mean of all channels; otherwise ffmpeg's name of the channel that is taken
CENTRE, SIDES = "FC", ("FL", "FR")
CHANNELS = {CENTRE: "the centre channel", "FL": "the left channel", "FR": "the right channel"}


def split_channels(frame: av.AudioFrame) -> np.ndarray:
    """Returns the samples (channels, n) of a packed frame: PyAV crashes on planar ones of eight channels."""
    return np.ascontiguousarray(frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T)


def take_channel(samples: np.ndarray, layout: av.AudioLayout, channel: str) -> np.ndarray:
    """Returns one channel of samples (channels, n), or (n,) their mean where no channel has that name."""
    if len(samples) == 1:
        return samples[0]
    names = name_channels(layout) if channel else []
    return samples[names.index(channel)] if channel in names else samples.mean(axis=0)


def name_channels(layout: av.AudioLayout) -> list[str]:
    """Returns ffmpeg's names of the channels; two are left and right, whatever the file calls them."""
    names = [channel.name for channel in layout.channels]
    return list(SIDES) if len(names) == len(SIDES) else names
