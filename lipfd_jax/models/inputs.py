"""From composites to what the network sees: the whole picture and fifteen crops, inside the jitted step.

Two conventions exist. Released weights expect what the released code feeds them, oddities included;
everything trained here uses what the paper describes. The choice travels with the checkpoint.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from lipfd_jax.kernels.resize import Taps, compose_taps, compute_taps, resize
from lipfd_jax.kernels.resize_image import resize_image
from lipfd_jax.settings import build_settings
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, FRAMES_PER_WINDOW, TILE

_CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
# Part of the head crop that the face and lip crops keep in the released code: 0.75x, though it says 0.65x,
# and 0.455x.
_NESTED_BOXES = ((0, 224), (28, 196), (61, 163))
_FRAME_SCALES = (1.0, 0.65, 0.45)


Convention = Literal["released", "paper"]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """How composites become the network's input; all but the sizes follows from the convention's name."""

    name: Convention = "paper"
    picture_size: int = 1120  # side of the whole picture; the 5x5 convolution then divides it by 5
    crop_size: int = 224  # side of each crop
    # The released code resizes as its torchvision does: 0.16, which it pins, without antialiasing; 0.17 and
    # newer with it. Paper inputs always are antialiased.
    released_antialias: bool = False

    def __post_init__(self) -> None:
        if self.name not in get_args(Convention):
            raise ValueError(f"inputs.name={self.name!r}: expected one of {', '.join(get_args(Convention))}")
        for field in ("picture_size", "crop_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"inputs.{field}={getattr(self, field)}: expected a number of pixels from 1")
        if self.released_antialias and self.name != "released":
            raise ValueError("inputs.released_antialias: paper inputs always are antialiased; leave it")

    @property
    def channels(self) -> Literal["bgr", "rgb"]:
        """Order of the channels."""
        return "bgr" if self.name == "released" else "rgb"

    @property
    def normalise(self) -> bool:
        """Whether CLIP's mean and deviation of x / 255 are taken out; otherwise values stay in 0..255."""
        return self.name == "paper"

    @property
    def frames(self) -> Literal["shifted", "true"]:
        """`shifted`: the first frame five times, moved by 0 to 4 pixels; `true`: the five frames."""
        return "shifted" if self.name == "released" else "true"

    @property
    def crops(self) -> Literal["nested", "frame"]:
        """Whether face and lip are cut from the resized head or from the frame itself."""
        return "nested" if self.name == "released" else "frame"

    @property
    def antialias(self) -> bool:
        """Whether resizing averages over all the pixels that one new pixel covers."""
        return self.name == "paper" or self.released_antialias

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Inputs":
        """The inputs that `dataclasses.asdict` was taken of.

        Older checkpoints also hold what follows from the name; it must be what follows.

        Raises:
          ValueError: a field is unknown, or a value is not allowed.
        """
        fields = dict(fields)
        written = {name: fields.pop(name) for name in _DERIVED if name in fields}
        if fields.get("name") == "released" and "antialias" in written:
            fields["released_antialias"] = written["antialias"]
        inputs = build_settings(cls(), fields, "model.inputs.")
        for name, value in written.items():
            if getattr(inputs, name) != value:
                raise ValueError(f"model.inputs.{name}={value!r}: {inputs.name} inputs have no such variant")
        return inputs


_DERIVED = ("channels", "normalise", "frames", "crops", "antialias")
RELEASED = Inputs("released")  # what the released code computes
PAPER = Inputs("paper")  # what the paper describes (section 4), with the input CLIP was trained on


def convention_warning(inputs: Inputs, windows: str) -> str:
    """Returns a warning where input convention and windows mode don't go together, "" where they do."""
    if inputs.name == windows:
        return ""
    return (
        f"the model takes {inputs.name} inputs, the records hold {windows} windows: scores are not "
        f"comparable with those on {inputs.name} windows"
    )


class PreparedInputs(NamedTuple):
    """The network's input, in the convention of an `Inputs`."""

    image: jax.Array  # (B, P, P, 3)
    crops: jax.Array  # (B, 5, 3, C, C, 3): frame, region (head, face, lip), rows, columns, channels


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
    frames = _cut_frames(composites, inputs)
    crops = [
        _convert_colours(resize(frames, side, side, dtype=dtype), inputs) for side in region_taps(inputs)
    ]
    return PreparedInputs(_resize_composite(composites, inputs, dtype), jnp.stack(crops, axis=2))


def region_taps(inputs: Inputs) -> tuple[Taps, ...]:
    """Taps from a frame's 500 rows (or columns) to head, face and lip crops."""
    size, antialias = inputs.crop_size, inputs.antialias
    if inputs.crops == "frame":
        margins = [TILE * (1 - scale) / 2 for scale in _FRAME_SCALES]
        return tuple(compute_taps(TILE, size, antialias=antialias, box=(m, TILE - m)) for m in margins)
    head = compute_taps(TILE, 224, antialias=antialias)  # the released boxes are in pixels of this size
    return tuple(
        compose_taps(compute_taps(224, size, antialias=antialias, box=box), head) for box in _NESTED_BOXES
    )


def _resize_composite(composites: jax.Array, inputs: Inputs, dtype: jax.typing.DTypeLike) -> jax.Array:
    """The whole composites, (B, P, P, 3)."""
    rows, columns = (
        compute_taps(n, inputs.picture_size, antialias=inputs.antialias) for n in COMPOSITE_SHAPE[:2]
    )
    coloured = functools.partial(_convert_colours, inputs=inputs)
    return resize_image(composites, rows, columns, dtype=dtype, coloured=coloured)


def _cut_frames(composites: jax.Array, inputs: Inputs) -> jax.Array:
    """The five frames (B, 5, 500, 500, 3) of the lower half."""
    step = TILE if inputs.frames == "true" else 1  # the released code forgot the factor 500
    lower = composites[:, TILE:]
    return jnp.stack([lower[:, :, i * step : i * step + TILE] for i in range(FRAMES_PER_WINDOW)], axis=1)


def _convert_colours(pictures: jax.Array, inputs: Inputs) -> jax.Array:
    """Channel order and normalisation; both commute with resizing, and here there are fewer pixels."""
    if inputs.normalise:
        pictures = (pictures - (255 * _CLIP_MEAN).astype(pictures.dtype)) * (1 / (255 * _CLIP_STD)).astype(
            pictures.dtype
        )
    return pictures[..., ::-1] if inputs.channels == "bgr" else pictures
