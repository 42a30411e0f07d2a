"""The command line flags that the commands of this package share: where the data is and which settings."""

from absl import flags

from datasets_tfds.build_settings import CROPS, Settings, changed, named_settings
from lipfd_jax.listing.folder import LINKS
from lipfd_jax.preprocessing.containers import DAMAGE_POLICIES

_CHANGES = (
    "effort",
    "held_out",
    "fractions",
    "salt",
    "splits_csv",
    "clips_csv",
    "links",
    "damaged",
    "crop",
)  # that are settings


def define() -> None:
    """Defines the flags; called by a command's main module only."""
    names = [settings.name for settings in named_settings()]
    flags.DEFINE_string("manual_dir", None, "folder or archive with the data")
    flags.DEFINE_enum("config", names[0], names, "LAYOUT[-ENCODING][-WINDOWS]")
    flags.DEFINE_integer(
        "workers", None, "processes; default one per core, 0 for none", lower_bound=0, upper_bound=1024
    )
    flags.DEFINE_integer("effort", None, "compact encoding: 0 (fast, default) to 6 (smallest records)")
    flags.DEFINE_bool("held_out", None, "keep the official validation sources out of training")
    flags.DEFINE_list("fractions", None, "shares of train, validation and test, such as 0.8,0.1,0.1")
    flags.DEFINE_string("salt", None, "another salt draws another split")
    flags.DEFINE_string("splits_csv", None, "follow this split (see datasets_tfds.splits)")
    flags.DEFINE_string("clips_csv", None, "layout folder: the CSV, relative to manual_dir")
    flags.DEFINE_enum("links", None, LINKS, "whether links may lead out of a folder of your own")
    flags.DEFINE_enum("crop", None, CROPS, "faces: cut windows to the face, framed like AVLips")
    flags.DEFINE_enum("damaged", None, DAMAGE_POLICIES, "clips of which a decoder reports damage")


def settings() -> Settings:
    """Returns the settings the flags ask for. Raises ValueError where they make no sense."""
    given = {name: flags.FLAGS[name].value for name in _CHANGES}
    if given["fractions"] is not None:
        given["fractions"] = tuple(_share(part) for part in given["fractions"])
    return changed(flags.FLAGS.config, **{n: value for n, value in given.items() if value is not None})


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"--fractions: {text!r} is no number; expected three such as 0.8,0.1,0.1") from error
