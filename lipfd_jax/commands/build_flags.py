"""Flags of `lipfd build` and `lipfd splits`: the input data and the build settings."""

from absl import flags

from datasets_tfds.build_settings import CROPS, BuildSettings, named_settings, select_settings
from lipfd_jax.commands import preprocessing_flags

flags.disclaim_key_flags()  # the flags belong to the command that defines them, also in its --help

_SETTINGS = (  # flags that are fields of BuildSettings; the values of None are those of --config
    "effort",
    "held_out",
    "fractions",
    "salt",
    "splits_csv",
    "clips_csv",
    "links",
    "damaged",
    "crop",
    "face_side",
    "audio_track",
    "video_track",
    "clip_quality",
    "clip_side",
    "clip_seconds",
)


def define_flags() -> None:
    """Defines the flags."""
    names = [settings.name for settings in named_settings()]
    flags.DEFINE_string("manual_dir", None, "Folder or archive with the input data.")
    flags.DEFINE_enum(
        "config",
        names[0],
        names,
        "LAYOUT[-ENCODING][-CONVENTION]: layout of the input data, encoding of the records, and window "
        "convention (paper or released); defaults are left out of the name. clips: whole clips of the face "
        "in the videos of the layout folder, from which training cuts windows.",
    )
    flags.DEFINE_integer(
        "effort", None, "Compression of the compact encoding, 0 (fast) to 6 (small). Default: 0."
    )
    flags.DEFINE_bool("held_out", None, "Keep the sources of the official validation set in the test split.")
    flags.DEFINE_list("fractions", None, "Shares of train, validation and test. Default: 0.8,0.1,0.1.")
    flags.DEFINE_string(
        "salt", None, "Salt of the hash that draws the split; another salt draws another split."
    )
    flags.DEFINE_string(
        "splits_csv", None, "CSV with the columns video,split to follow instead, as `lipfd splits` writes it."
    )
    flags.DEFINE_string(
        "clips_csv", None, "CSV that describes the layout folder, relative to manual_dir. Default: clips.csv."
    )
    flags.DEFINE_enum(
        "crop", None, CROPS, "faces: crop windows to the face, framed like AVLips. Default: none."
    )
    flags.DEFINE_integer(
        "face_side",
        None,
        "With --crop=faces: pixels to which larger squares of the face are shrunk; lipfd:small takes 448. "
        "Default: 224, the size of AVLips' clips.",
    )
    flags.DEFINE_integer("clip_quality", None, "Of the JPEGs in clips, 1 to 100. Default: 95.")
    flags.DEFINE_integer(
        "clip_side", None, "Pixels to which the face's square is shrunk in clips where larger. Default: 448."
    )
    flags.DEFINE_float("clip_seconds", None, "Longest clip; longer videos give several. Default: 10.")
    preprocessing_flags.define_flags()


def read_settings() -> BuildSettings:
    """Returns the settings from the parsed flags. Raises ValueError for values that do not fit together."""
    values = {name: flags.FLAGS[name].value for name in _SETTINGS}
    if values["fractions"] is not None:
        values["fractions"] = tuple(_parse_share(part) for part in values["fractions"])
    given = {name: value for name, value in values.items() if value is not None}
    return select_settings(flags.FLAGS.config, **given)


def _parse_share(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(
            f"--fractions: {text!r} is not a number; expected three such as 0.8,0.1,0.1"
        ) from error
