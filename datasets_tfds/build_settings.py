"""What decides the content of a build: its layout, encoding, windows and split, in one frozen dataclass."""

import dataclasses
import hashlib
import itertools
import pathlib
from typing import Any, Literal, get_args

from lipfd_jax.listing.folder import LINKS, Links
from lipfd_jax.listing.layouts import Layout
from lipfd_jax.preprocessing.containers import DAMAGE_POLICIES, DamagePolicy
from lipfd_jax.preprocessing.encoding import Encoding
from lipfd_jax.vocabulary import SPLITS, WINDOW_CONVENTIONS, WindowConvention

Crop = Literal["none", "faces"]
CROPS = get_args(Crop)

_CHOICES = {
    "layout": get_args(Layout),
    "encoding": get_args(Encoding),
    "windows": WINDOW_CONVENTIONS,
    "links": LINKS,
    "damaged": DAMAGE_POLICIES,
    "crop": CROPS,
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Same settings and same input give the same records, whoever builds them with however many workers."""

    layout: Layout = "avlips"
    encoding: Encoding = "compact"
    windows: WindowConvention = "paper"
    effort: int = 0  # 0 (fast) to 6 (small): lossless compression of the compact encoding
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)  # of the source ids, in the order of SPLITS
    salt: str = "lipfd"  # another salt draws another split
    held_out: bool = False  # the sources of the official validation windows go to the test split
    splits_csv: str = ""  # a split to follow instead of the hash (see datasets_tfds.splits)
    clips_csv: str = "clips.csv"  # layout folder: the CSV that describes it, relative to manual_dir
    links: Links = "refuse"  # whether links may lead out of the data folder
    damaged: DamagePolicy = "refuse"  # clips of which a decoder reports damage; kept ones carry a warning
    crop: Crop = "none"  # faces: windows are cut to the face seen longest, framed like AVLips
    videos_per_shard: int = 64

    def __post_init__(self) -> None:
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise ValueError(f"{field} {getattr(self, field)!r}: expected one of {', '.join(choices)}")
        shares = self.fractions
        # Written so that NaN, which compares with nothing, is refused as well.
        if len(shares) != len(SPLITS) or not (min(shares) >= 0 and abs(sum(shares) - 1) <= 1e-6):
            raise ValueError(f"fractions {shares}: expected three shares of {SPLITS} that add up to 1")
        if not 0 <= self.effort <= 6:
            raise ValueError(f"effort {self.effort}: expected 0 to 6")
        if self.crop == "faces" and (self.layout == "official_val" or self.windows != "paper"):
            raise ValueError(f"crop faces: needs videos and paper windows, not {self.name}")
        if self.videos_per_shard < 1:
            raise ValueError(f"videos_per_shard {self.videos_per_shard}: expected 1 or more")

    @property
    def name(self) -> str:
        """Returns LAYOUT[-ENCODING][-WINDOWS], defaults left out."""
        if self.layout == "official_val":
            return self.layout  # exists in one encoding and one windows mode only
        parts = (self.encoding, Settings.encoding), (self.windows, Settings.windows)
        return "-".join([self.layout, *(value for value, default in parts if value != default)])

    @property
    def description(self) -> str:
        """Returns the name in words."""
        return f"{self.layout} videos, {self.encoding} encoding, {self.windows} windows"

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON-able values; for a split file its sum, as another file may get the same name."""
        values = {**dataclasses.asdict(self), "fractions": list(self.fractions)}
        if self.splits_csv:
            values["splits_csv"] = hashlib.sha256(pathlib.Path(self.splits_csv).read_bytes()).hexdigest()
        return values


def named_settings() -> tuple[Settings, ...]:
    """Returns the settings behind every config name, the default one first.

    The official validation set exists only as finished pictures, which no other encoding can hold.
    """
    built = [
        Settings(layout=layout, encoding=encoding, windows=windows, held_out=layout == "avlips")
        for layout, windows, encoding in itertools.product(
            ("avlips", "folder"), ("paper", "released"), get_args(Encoding)
        )
    ]
    pictures = Settings(
        layout="official_val", encoding="composite", windows="released", fractions=(0.0, 0.0, 1.0)
    )
    return (*built, pictures)


def changed(config: str, **changes: Any) -> Settings:
    """Returns the settings of a config name with changes. ValueError for an unknown name or setting."""
    named = {settings.name: settings for settings in named_settings()}
    known = [field.name for field in dataclasses.fields(Settings)]
    for given, choices in [(config, list(named)), *((name, known) for name in changes)]:
        if given not in choices:
            raise ValueError(f"{given!r}: unknown; expected one of {', '.join(choices)}")
    return dataclasses.replace(named[config], **changes)
