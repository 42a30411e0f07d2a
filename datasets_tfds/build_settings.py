"""Build settings: input layout, encoding, window convention and split, which decide a data set's content."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, get_args

from lipfd_jax.listing.folder import LINKS, Links
from lipfd_jax.listing.layouts import LAYOUTS
from lipfd_jax.preprocessing.containers import DAMAGE_POLICIES, DamagePolicy
from lipfd_jax.preprocessing.encoding import Encoding
from lipfd_jax.preprocessing.track_choices import TrackRequest
from lipfd_jax.storage.checksums import hash_file
from lipfd_jax.vocabulary import FACE_SIDE, SPLITS, TILE, WINDOW_CONVENTIONS, WindowConvention

Crop = Literal["none", "faces"]
CROPS = get_args(Crop)
# What a record holds: a window of five frames, or a clip of a face, from which training cuts windows.
RecordKind = Literal["windows", "clips"]

# Setting: its key in build_report.json, where it differs: reports of earlier versions stay comparable.
_REPORT_KEYS = {"window_convention": "windows"}
_CHOICES = {
    "layout": tuple(LAYOUTS),
    "encoding": get_args(Encoding),
    "window_convention": WINDOW_CONVENTIONS,
    "links": LINKS,
    "damaged": DAMAGE_POLICIES,
    "crop": CROPS,
    "kind": get_args(RecordKind),
}


class BuildError(RuntimeError):
    """A build that can't be made or used; the message names the fault and the remedy."""


@dataclasses.dataclass(frozen=True)
class BuildSettings:
    """The same settings and input give the same records, on any machine and with any number of workers."""

    layout: str = "avlips"  # a name in LAYOUTS
    encoding: Encoding = "compact"
    window_convention: WindowConvention = "paper"
    effort: int = 0  # 0 (fast) to 6 (small): lossless compression of the compact encoding
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)  # shares of source ids, in SPLITS' order
    salt: str = "lipfd"  # enters the hash that draws the split; another salt draws another split
    held_out: bool = False  # puts the sources of the official validation windows into the test split
    splits_csv: str = ""  # a split to follow instead of the hash, as `splits.write_splits` writes it
    clips_csv: str = "clips.csv"  # layout folder: the CSV that describes it, relative to manual_dir
    links: Links = "refuse"  # symbolic links that lead out of the input folder
    damaged: DamagePolicy = "refuse"  # clips in which a decoder reports damage; kept ones carry a warning
    crop: Crop = "none"  # faces: windows are cropped to the face visible longest, framed like AVLips
    face_side: int = FACE_SIDE  # crop faces: pixels, to which larger squares of the face are shrunk
    audio_track: str = ""  # of videos without a wav: number from 1 or language; "": the first with speech
    video_track: int = 0  # number from 1; 0: the default one
    videos_per_shard: int = 64
    kind: RecordKind = "windows"
    clip_side: int = 448  # clips: pixels, to which frames with a larger square of the face are shrunk
    clip_quality: int = 95  # clips: of the JPEGs, 1 to 100
    clip_seconds: float = 10.0  # clips: longest clip; longer videos give several

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
        if self.crop == "faces" and (LAYOUTS[self.layout].composites or self.window_convention != "paper"):
            raise ValueError(f"crop faces: needs videos and paper windows, not {self.name}")
        self._check_clips()
        if not 64 <= self.face_side <= TILE:
            raise ValueError(f"face_side {self.face_side}: expected 64 to {TILE}")
        if self.face_side != FACE_SIDE and (self.crop, self.kind) != ("faces", "windows"):
            raise ValueError(f"face_side {self.face_side}: only of windows with --crop=faces")
        TrackRequest(self.audio_track, self.video_track)  # raises for what can be no track
        if self.videos_per_shard < 1:
            raise ValueError(f"videos_per_shard {self.videos_per_shard}: expected 1 or more")

    def _check_clips(self) -> None:
        """Raises ValueError where the settings of clips can't be."""
        if self.kind == "clips" and (self.crop, self.window_convention) != ("faces", "paper"):
            raise ValueError("clips: are cropped to faces and cut into paper windows; leave out --crop")
        bounds = {"clip_side": (64, 4096), "clip_quality": (1, 100), "clip_seconds": (1, 20)}
        for name, (lowest, highest) in bounds.items():
            if not lowest <= getattr(self, name) <= highest:
                raise ValueError(f"{name} {getattr(self, name)}: expected {lowest} to {highest}")

    @property
    def tracks(self) -> TrackRequest:
        """The tracks asked for."""
        return TrackRequest(self.audio_track, self.video_track)

    @property
    def name(self) -> str:
        """The config name, LAYOUT[-ENCODING][-CONVENTION], with defaults left out; clips: LAYOUT-clips.

        The clips of the layout `folder` are just `clips`.
        """
        if LAYOUTS[self.layout].composites:
            return self.layout  # exists in one encoding and one window convention only
        if self.kind == "clips":
            return "clips" if self.layout == "folder" else f"{self.layout}-clips"
        parts = (
            (self.encoding, BuildSettings.encoding),
            (self.window_convention, BuildSettings.window_convention),
        )
        return "-".join([self.layout, *(value for value, default in parts if value != default)])

    @property
    def description(self) -> str:
        """The config in words, for TFDS's catalogue."""
        if self.kind == "clips":
            return f"{self.layout} videos, whole clips of the face at native detail"
        return f"{self.layout} videos, {self.encoding} encoding, {self.window_convention} windows"

    def as_dict(self) -> dict[str, Any]:
        """Returns JSON values; splits_csv as its SHA-256, since another file may get the same name."""
        values = {**dataclasses.asdict(self), "fractions": list(self.fractions)}
        values = {_REPORT_KEYS.get(name, name): value for name, value in values.items()}
        if self.splits_csv:
            values["splits_csv"] = hash_file(self.splits_csv)
        return values


def named_settings() -> tuple[BuildSettings, ...]:
    """Returns the settings of every config name, the default one first."""
    return tuple(settings for layout in LAYOUTS for settings in _settings_of(layout))


def _settings_of(layout: str) -> Iterator[BuildSettings]:
    """Yields the settings of a layout's config names; no other encoding can hold finished composites."""
    if LAYOUTS[layout].composites:
        yield BuildSettings(layout, "composite", "released", fractions=(0.0, 0.0, 1.0))
        return
    for convention in WINDOW_CONVENTIONS:
        for encoding in get_args(Encoding):
            yield BuildSettings(layout, encoding, convention, held_out=LAYOUTS[layout].held_out)
    yield BuildSettings(layout, held_out=LAYOUTS[layout].held_out, crop="faces", kind="clips")


def select_settings(config: str, **changes: Any) -> BuildSettings:
    """Returns the settings of a config name with changes. ValueError for an unknown name or setting."""
    named = {settings.name: settings for settings in named_settings()}
    known = [field.name for field in dataclasses.fields(BuildSettings)]
    for given, choices in [(config, list(named)), *((name, known) for name in changes)]:
        if given not in choices:
            raise ValueError(f"{given!r}: unknown; expected one of {', '.join(choices)}")
    return dataclasses.replace(named[config], **changes)
