"""Catalogue of perturbations: kinds, severities in the robustness suite, and use in training's augmentation.

The robustness suite applies every entry that has severities. Training applies what records allow: every kind
of frames, and kinds of sound that work on a mel strip.

A new perturbation is three things: its function (frames.py, samples.py or mel_strips.py), an entry here, and
its row and the number of perturbations in docs/suites.md, which tests compare with this catalogue.

    FrameKind("sharpening", frames.sharpen, "lens"),

of frames takes a function of frames (n, height, width, 3) uint8 RGB, a severity and a generator. Severities
are 1 to 5, and the strength has to rise with them. The stage is the kind's place among the others when
training applies several: light, lens, resolution, sensor, overlay or codec. Training's setting, its
probability, is data.augmentation.NAME: the name without hyphens, with _ for blanks ("block-wise" is
`blockwise`).

    SoundKind("echo", {f"{ms} ms": without_draws(samples.add_echo, seconds=ms / 1000) for ms in (50, 200)}),

of sound takes a function of samples for each severity, which is free text; `with_draws` is for functions
that take a generator as `rng`. A codec is `samples.recode` with a row of `samples.ENCODERS`. Optional are
functions of stored mel strips by severity, and `training=StripAugmentation(setting, probability, stage,
function, range)` with a setting named sound_..., the stage level, cut, band or noise, and a function of
loudness (128, columns) float32 0..1, an amount drawn from the range, and a generator.

What a new entry does to random draws: nothing in suites, which seed each kind by its name and the video's.
Training draws from one generator per sample, for kinds of frames by stage and then in this order, after them
for the sound. An entry of probability 0 draws only in runs that set it, so it may be put anywhere. An entry
of another probability, or another order, changes what seeds give: a run that resumes gets other
augmentations.
"""

from functools import partial

from lipfd_jax.perturbations import frames, mel_strips, samples
from lipfd_jax.perturbations.kinds import FrameKind, SoundKind, StripAugmentation
from lipfd_jax.perturbations.perturbation import Perturbation, with_draws, without_draws

CRFS = (30, 32, 35, 38, 40)  # H.264 rate factors at the five severities of compression, as published

# What a new entry does to draws: see the docstring.
# A model trained without augmentation falls to chance under blur, noise and pixelation (the released weights:
# AUC 0.52 to 0.57 at severity 3), so these come more often in training than the others.
FRAME_KINDS = (
    FrameKind("saturation", frames.reduce_saturation, "light", 0.1),
    FrameKind("contrast", frames.reduce_contrast, "light", 0.1),
    FrameKind("block-wise", frames.add_blocks, "overlay", 0.1),
    FrameKind("noise", frames.add_noise, "sensor", 0.15),
    FrameKind("blur", frames.blur_frames, "lens", 0.15),
    FrameKind("pixelation", frames.pixelate, "resolution", 0.15),
    FrameKind("compression", frames.compress, "codec", 0.15, CRFS),
)

# What a new entry does to draws: see the docstring.
SOUND_KINDS = (
    SoundKind(
        "gain",  # a window's gain against its clip; a gain on the whole clip leaves no trace
        training=StripAugmentation(
            "sound_gain", 0.2, "level", lambda values, by, _: mel_strips.apply_gain(values, by), (-15, 15)
        ),
    ),
    SoundKind(
        "leading silence",  # its trimming: a control of the suites, not one of robustness
        training=StripAugmentation(
            "sound_trim",
            0.1,
            "cut",
            lambda values, below, _: mel_strips.trim_silence(values, below),
            (25, 45),
        ),
    ),
    SoundKind(
        "white noise",
        {f"{snr} dB": with_draws(samples.add_white_noise, decibels=snr) for snr in (20, 10, 0)},
        training=StripAugmentation("sound_noise", 0.2, "noise", mel_strips.add_noise, (20, 60)),
    ),
    SoundKind(
        "pitch",
        {f"{tones:+d} semitones": without_draws(samples.shift_pitch, semitones=tones) for tones in (-3, 3)},
    ),
    SoundKind(
        "resampling",
        {f"{khz} kHz": without_draws(samples.resample, rate=1000 * khz) for khz in (16, 8)},
        {f"{khz} kHz": partial(mel_strips.limit_band, hertz=1000 * khz / 2) for khz in (16, 8)},
        # In AVLips most fake sound ends at 8 kHz and real sound does not: hence so often.
        training=StripAugmentation(
            "sound_band_limit", 0.5, "band", lambda values, *_: mel_strips.limit_band(values)
        ),
    ),
    SoundKind("band limit", {"300 to 3400 Hz": without_draws(samples.limit_band, low=300, high=3400)}),
    SoundKind(
        "mp3",
        {
            f"{rate} kbit per s": without_draws(samples.recode, codec="mp3", kilobits=rate)
            for rate in (32, 16)
        },
    ),
    SoundKind(
        "opus",
        {
            f"{rate} kbit per s": without_draws(samples.recode, codec="opus", kilobits=rate)
            for rate in (16, 8)
        },
    ),
    SoundKind(
        "silence",
        {f"{share:.0%}": with_draws(samples.silence_stretches, share=share) for share in (0.1, 0.3, 0.5)},
    ),
    SoundKind(
        "shift",
        {
            f"{shift:+d} ms": without_draws(samples.shift, seconds=shift / 1000)
            for shift in (-400, -160, -80, -40, 40, 80, 160, 400)
        },
    ),
)


def list_robustness() -> list[Perturbation]:
    """All perturbations of the robustness suite, in the order of its page."""
    return [one for kind in (*FRAME_KINDS, *SOUND_KINDS) for one in kind.perturbations]


def find_frame_kind(name: str) -> FrameKind:
    """The entry of a perturbation of frames. Raises ValueError for an unknown name."""
    known = {entry.name: entry for entry in FRAME_KINDS}
    if name not in known:
        raise ValueError(f"perturbation {name!r}: expected one of {', '.join(known)}")
    return known[name]
