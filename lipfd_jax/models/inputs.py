"""Network inputs: the resized composite and fifteen crops, computed inside the jitted step.

Two conventions exist. Released weights expect the inputs of the released code, oddities included; models
trained here use those the paper describes. The convention is stored with the checkpoint.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from lipfd_jax.kernels.resize import Taps, compose_taps, compute_taps, resize
from lipfd_jax.kernels.resize_image import resize_image
from lipfd_jax.settings import build_settings
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, FACE_SIDE, FRAMES_PER_WINDOW, REGIONS, TILE

CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
# Parts of the head crop kept as face and lip crops in the released code: 0.75 of its side, though it is named
# 0.65x, and 0.455.
_NESTED_BOXES = ((0, 224), (28, 196), (61, 163))
_FRAME_SCALES = (1.0, 0.65, 0.45)


Convention = Literal["released", "paper"]
ALL_FRAMES = tuple(range(FRAMES_PER_WINDOW))


@dataclasses.dataclass(frozen=True)
class Inputs:
    """How composites become the network's input; all but the sizes follows from the convention's name."""

    name: Convention = "paper"
    picture_size: int = 1120  # side of the resized composite, which the 5x5 convolution divides by 5; 0: none
    crop_size: int = 224  # side of each crop
    frame_numbers: tuple[int, ...] = ALL_FRAMES  # those of the five frames that crops are cut from
    regions: tuple[str, ...] = REGIONS  # of head, face and lip those that crops show, in that order
    face_side: int = FACE_SIDE  # pixels of the video: largest side of the face crops in composites
    # The released code resizes as its torchvision does: 0.16, which it pins, without antialiasing; 0.17 and
    # newer with it. Paper inputs are always antialiased.
    released_antialias: bool = False

    def __post_init__(self) -> None:
        if self.name not in get_args(Convention):
            raise ValueError(f"inputs.name={self.name!r}: expected one of {', '.join(get_args(Convention))}")
        for field, least in (("picture_size", 0), ("crop_size", 1), ("face_side", 1)):
            if getattr(self, field) < least:
                number = "a positive number" if least else "0 or a positive number"
                raise ValueError(f"inputs.{field}={getattr(self, field)}: expected {number} of pixels")
        for field, known in (("frame_numbers", range(FRAMES_PER_WINDOW)), ("regions", REGIONS)):
            _check_choice(field, getattr(self, field), known)
            if self.name == "released" and len(getattr(self, field)) < len(known):
                raise ValueError(f"inputs.{field}: released inputs take all of {list(known)}; leave it unset")
        if self.released_antialias and self.name != "released":
            raise ValueError("inputs.released_antialias: paper inputs are always antialiased; leave it unset")

    @property
    def channels(self) -> Literal["bgr", "rgb"]:
        """Channel order."""
        return "bgr" if self.name == "released" else "rgb"

    @property
    def normalise(self) -> bool:
        """Whether x / 255 is normalised by CLIP's mean and deviation; otherwise values stay in 0..255."""
        return self.name == "paper"

    @property
    def frames(self) -> Literal["shifted", "true"]:
        """`shifted`: the first frame five times, shifted by 0 to 4 pixels; `true`: the five frames."""
        return "shifted" if self.name == "released" else "true"

    @property
    def crops(self) -> Literal["nested", "frame"]:
        """Whether face and lip crops come from the resized head crop or from the frame."""
        return "nested" if self.name == "released" else "frame"

    @property
    def needs_composite(self) -> bool:
        """Whether whole composites are looked at; otherwise the five frames alone are enough."""
        return self.picture_size > 0 or self.frames == "shifted"

    @property
    def antialias(self) -> bool:
        """Whether resizing averages all pixels that an output pixel covers."""
        return self.name == "paper" or self.released_antialias

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Inputs":
        """Builds inputs from the output of `dataclasses.asdict`.

        Older checkpoints also store the derived fields; they must match.

        Raises:
          ValueError: a field is unknown, or a value is not allowed.
        """
        fields = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}  # from JSON
        written = {name: fields.pop(name) for name in _DERIVED if name in fields}
        if fields.get("name") == "released" and "antialias" in written:
            fields["released_antialias"] = written["antialias"]
        inputs = build_settings(cls(), fields, "model.inputs.")
        for name, value in written.items():
            if getattr(inputs, name) != value:
                raise ValueError(f"model.inputs.{name}={value!r}: {inputs.name} inputs have no such variant")
        return inputs


def _check_choice(field: str, chosen: tuple, known: Sequence) -> None:
    if not chosen or list(chosen) != [value for value in known if value in chosen]:
        raise ValueError(f"inputs.{field}={chosen}: expected some of {list(known)}, each once and in order")


_DERIVED = ("channels", "normalise", "frames", "crops", "antialias")
RELEASED = Inputs("released")  # as computed by the released code
PAPER = Inputs("paper")  # as described in the paper (section 4), normalised as CLIP was trained


def convention_warning(inputs: Inputs, windows: str) -> str:
    """Returns a warning if the input convention and the window convention differ, else ""."""
    if inputs.name == windows:
        return ""
    return (
        f"the model takes {inputs.name} inputs, but the records hold {windows} windows: scores are not "
        f"comparable with those on {inputs.name} windows"
    )


def face_side_warning(inputs: Inputs, side: int | None) -> str:
    """Returns a warning if face crops were shrunk to another side than the model's, else "".

    Args:
      side: of the records' face crops, pixels; None where none were cut.
    """
    if side in (None, inputs.face_side):
        return ""
    return (
        f"the model looks at face crops of up to {inputs.face_side} pixels, those of the records have up to "
        f"{side}: build them again with --face_side={inputs.face_side}"
    )


class PreparedInputs(NamedTuple):
    """Network input, in the convention of an `Inputs`."""

    image: jax.Array  # (B, P, P, 3)
    crops: jax.Array  # (B, F, R, C, C, 3): frame, region, rows, columns, channels; five and three by default


@jax.named_scope("prepare")
def prepare_inputs(
    composites: jax.Array, inputs: Inputs, *, dtype: jax.typing.DTypeLike = jnp.float32
) -> PreparedInputs:
    """Resizes and crops composites (B, 1000, 2500, 3) uint8 RGB. Runs inside jit.

    Raises:
      ValueError: the composites have another shape.
    """
    if composites.shape[1:] != COMPOSITE_SHAPE:
        raise ValueError(f"composites must be (B, 1000, 2500, 3), got {composites.shape}")
    crops = prepare_crops(_cut_frames(composites, inputs), inputs, dtype=dtype)
    return PreparedInputs(_resize_composite(composites, inputs, dtype), crops)


def prepare_crops(
    frames: jax.Array, inputs: Inputs, *, dtype: jax.typing.DTypeLike = jnp.float32
) -> jax.Array:
    """Cuts the regions of tiles (B, F, 500, 500, 3) uint8 RGB and resizes them, to (B, F, R, C, C, 3)."""
    crops = [
        _convert_colours(resize(frames, side, side, dtype=dtype), inputs)
        for side in compute_region_taps(inputs)
    ]
    return jnp.stack(crops, axis=2)


def prepare_batch(
    batch: Mapping[str, jax.Array], inputs: Inputs, *, dtype: jax.typing.DTypeLike = jnp.float32
) -> PreparedInputs:
    """Network input of a batch with `composite`, `frames` or both; frames are taken where they are enough."""
    if "composite" in batch and (inputs.needs_composite or "frames" not in batch):
        return prepare_inputs(batch["composite"], inputs, dtype=dtype)
    crops = prepare_crops(batch["frames"], inputs, dtype=dtype)
    return PreparedInputs(jnp.zeros((len(crops), 0, 0, 3), dtype), crops)


def compute_region_taps(inputs: Inputs) -> tuple[Taps, ...]:
    """Returns the taps from a frame's 500 rows (or columns) to the crop of each region."""
    size, antialias = inputs.crop_size, inputs.antialias
    if inputs.crops == "frame":
        scales = dict(zip(REGIONS, _FRAME_SCALES, strict=True))
        margins = [TILE * (1 - scales[region]) / 2 for region in inputs.regions]
        return tuple(compute_taps(TILE, size, antialias=antialias, box=(m, TILE - m)) for m in margins)
    head = compute_taps(TILE, 224, antialias=antialias)  # the released boxes are in pixels of this crop
    return tuple(
        compose_taps(compute_taps(224, size, antialias=antialias, box=box), head) for box in _NESTED_BOXES
    )


def _resize_composite(composites: jax.Array, inputs: Inputs, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Resizes whole composites to (B, P, P, 3)."""
    if not inputs.picture_size:
        return jnp.zeros((composites.shape[0], 0, 0, 3), dtype)
    rows, columns = (
        compute_taps(n, inputs.picture_size, antialias=inputs.antialias) for n in COMPOSITE_SHAPE[:2]
    )
    transform = functools.partial(_convert_colours, inputs=inputs)
    return resize_image(composites, rows, columns, dtype=dtype, transform=transform)


def _cut_frames(composites: jax.Array, inputs: Inputs) -> jax.Array:
    """Cuts the frames (B, F, 500, 500, 3) that are asked for from the lower half."""
    step = TILE if inputs.frames == "true" else 1  # the released code omits the factor 500
    lower = composites[:, TILE:]
    return jnp.stack([lower[:, :, i * step : i * step + TILE] for i in inputs.frame_numbers], axis=1)


def _convert_colours(images: jax.Array, inputs: Inputs) -> jax.Array:
    """Channel order and normalisation. Both commute with resizing, after which there are fewer pixels."""
    if inputs.normalise:
        mean, scale = (a.astype(images.dtype) for a in (255 * CLIP_MEAN, 1 / (255 * CLIP_STD)))
        images = (images - mean) * scale
    return images[..., ::-1] if inputs.channels == "bgr" else images
