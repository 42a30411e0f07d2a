"""LipFD: a global feature of the whole composite and features of fifteen crops, fused by region weights."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lipfd_jax.kernels.input_convolution import input_convolution
from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.encoders import ENCODERS
from lipfd_jax.models.inputs import PAPER, Inputs
from lipfd_jax.models.views import VIEWS
from lipfd_jax.models.vit import ACTIVATIONS
from lipfd_jax.settings import build_settings
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, REGIONS

Dtype = Literal["float32", "bfloat16"]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Architecture and input convention of a model; `dataclasses.asdict` of it is plain JSON."""

    encoder: str = "vit_l14"  # a name in encoders.ENCODERS
    backbone: str = "resnet50"  # a name in backbones.BACKBONES
    inputs: Inputs = PAPER
    # What each member sees, names in views.VIEWS: models of their own on the same crops, whose logits are
    # averaged; () is one model that sees all frames.
    members: tuple[str, ...] = ()
    activation: str = "quick_gelu"  # the encoder's; most open_clip weights need "gelu"
    dtype: Dtype = "float32"  # number format of computations; parameters are float32
    remat: bool = False  # recompute encoder blocks in the backward pass instead of storing them

    def __post_init__(self):
        known = {
            "encoder": ENCODERS,
            "backbone": BACKBONES,
            "activation": ACTIVATIONS,
            "dtype": ("float32", "bfloat16"),
        }
        for field, values in known.items():
            if getattr(self, field) not in values:
                raise ValueError(
                    f"{field}={getattr(self, field)!r} is unknown; use one of {', '.join(sorted(values))}"
                )
        self._check_members()
        if (self.encoder == "none") != (self.inputs.picture_size == 0):
            raise ValueError(
                f"picture_size {self.inputs.picture_size} with encoder {self.encoder!r}: the picture is the "
                "encoder's input; picture_size is 0 if and only if the encoder is 'none'"
            )
        unit = 5 * ENCODERS[self.encoder].patch
        if self.inputs.picture_size % unit:
            raise ValueError(
                f"picture_size {self.inputs.picture_size} must be a multiple of {unit}, "
                f"the input convolution's stride times the patch of {self.encoder}"
            )

    @property
    def hears(self) -> bool:
        """Whether scores depend on the sound: only the encoder sees the mel spectrogram, crops show faces."""
        return self.encoder != "none"

    def _check_members(self) -> None:
        if unknown := set(self.members) - set(VIEWS):
            raise ValueError(f"members={self.members}: {min(unknown)!r} is unknown; use {', '.join(VIEWS)}")
        if self.members and (self.encoder != "none" or self.inputs.name != "paper"):
            raise ValueError(f"members={self.members}: only with encoder 'none' and paper inputs")
        if "motion" in self.members and len(self.inputs.frame_numbers) < 3:
            raise ValueError(f"members={self.members}: motion needs three inputs.frame_numbers or more")

    @property
    def member(self) -> "ModelConfig":
        """The configuration of one member: it sees one picture, at the time of the middle frame."""
        numbers = self.inputs.frame_numbers
        inputs = dataclasses.replace(self.inputs, frame_numbers=(numbers[len(numbers) // 2],))
        return dataclasses.replace(self, inputs=inputs, members=())

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "ModelConfig":
        """Builds a configuration from the output of `dataclasses.asdict`.

        Raises:
          ValueError: a field is unknown, or a value is not allowed.
        """
        fields = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}  # from JSON
        if isinstance(fields.get("inputs"), Mapping):
            fields["inputs"] = Inputs.from_dict(fields["inputs"])
        return build_settings(cls(), fields, "model.")


class Output(NamedTuple):
    """Model output for a batch; all float32."""

    logits: jax.Array  # (B,); the sigmoid is the probability of a fake
    # (B, 5, 3): per frame the weights of head, face and lip, which sum to one; zero where there is no crop
    region_weights: jax.Array
    features: jax.Array  # (B, F): the encoder's global feature; F is 0 without one
    member_logits: tuple[jax.Array, ...] = ()  # (B,) of each member, of which `logits` is the mean


class InputConv(nnx.Module):
    """Learned 5x5 convolution of stride 5 between the composite and the encoder."""

    def __init__(self, *, dtype: jax.typing.DTypeLike):
        # Initialised to the mean of each channel, so that a pretrained encoder sees an image from step one.
        self.kernel = nnx.Param(jnp.broadcast_to(jnp.eye(3) / 25, (5, 5, 3, 3)))
        self.bias = nnx.Param(jnp.zeros(3))
        self.dtype = dtype

    @jax.named_scope("input_convolution")
    def __call__(self, images: jax.Array) -> jax.Array:
        """Images (B, P, P, 3) to (B, P / 5, P / 5, 3)."""
        kernel, bias = (p[...].astype(self.dtype) for p in (self.kernel, self.bias))
        return bias + input_convolution(images.astype(self.dtype), kernel)


class LipFD(nnx.Module):
    """Lip-sync forgery detector (arXiv 2401.15668, section 4)."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        encoder, backbone = ENCODERS[config.encoder], BACKBONES[config.backbone]
        dtype = jnp.dtype(config.dtype)
        width = backbone.features + encoder.features
        self.config = config
        self.members = nnx.List(LipFD(config.member, rngs=rngs) for _ in config.members)
        if config.members:
            return
        self.conv1 = InputConv(dtype=dtype) if encoder.features else None
        self.encoder = encoder.build(
            config.inputs.picture_size // 5,
            activation=config.activation,
            dtype=dtype,
            remat=config.remat,
            rngs=rngs,
        )
        self.backbone = backbone.build(dtype=dtype, rngs=rngs)
        # A short training leaves much of a drawn classifier as it is, which is noise on pretrained features.
        options: dict[str, Any] = {} if encoder.features else {"kernel_init": nnx.initializers.zeros_init()}
        self.get_weight = nnx.Linear(width, 1, rngs=rngs, **options)
        self.fc = nnx.Linear(width, 1, rngs=rngs, **options)

    def __call__(
        self, image: jax.Array, crops: jax.Array, *, train: bool = False, frozen_blocks: int = 0
    ) -> Output:
        """Scores prepared inputs.

        Args:
          image: (B, P, P, 3), the resized composite in the convention of config.inputs.
          crops: (B, F, R, C, C, 3): frame, region; five and three by default.
          train: normalise by the batch's statistics and update the running ones.
          frozen_blocks: number of the first blocks that compute as in inference, without gradients.
        """
        if self.members:
            views = [VIEWS[name](crops) for name in self.config.members]
            options: dict[str, Any] = {"train": train, "frozen_blocks": frozen_blocks}
            pairs = zip(self.members, views, strict=True)
            return _average_outputs([member(image, view, **options) for member, view in pairs])
        features = self._encode(image)
        crops_in_line = crops.reshape(-1, *crops.shape[3:])
        local = self.backbone(crops_in_line, train=train, frozen_blocks=frozen_blocks)
        return self.fuse(local.reshape(*crops.shape[:3], -1), features)

    def _encode(self, image: jax.Array) -> jax.Array:
        if self.encoder is None or self.conv1 is None:
            return jnp.zeros((image.shape[0], 0), jnp.float32)
        return self.encoder(self.conv1(image)).astype(jnp.float32)

    @jax.named_scope("fuse")
    def fuse(self, local: jax.Array, features: jax.Array) -> Output:
        """Fuses crop features (B, F, R, D) and global features (B, F), float32, to the output."""
        joined = local
        if features.shape[-1]:  # exports can't reshape nothing
            shared = jnp.broadcast_to(features[:, None, None], (*local.shape[:3], features.shape[-1]))
            joined = jnp.concatenate([local, shared], axis=-1)
        weights = jax.nn.softmax(jax.nn.sigmoid(self.get_weight(joined)[..., 0]), axis=-1)
        # The released code also divides by the sum of the weights, which is one after softmax.
        fused = jnp.einsum("bfr,bfrd->bfd", weights, joined).mean(1)
        return Output(self.fc(fused)[:, 0], self._fill_weights(weights), features)

    def _fill_weights(self, weights: jax.Array) -> jax.Array:
        """Region weights (B, F, R) as (B, 5, 3), zero for frames and regions that the model does not see."""
        inputs = self.config.inputs
        if weights.shape[1:] != (len(inputs.frame_numbers), len(inputs.regions)):
            return weights  # training on other frames than inference
        if weights.shape[1:] == (FRAMES_PER_WINDOW, len(REGIONS)):
            return weights
        frames = np.eye(FRAMES_PER_WINDOW, dtype=np.float32)[list(inputs.frame_numbers)]
        regions = np.eye(len(REGIONS), dtype=np.float32)[[REGIONS.index(region) for region in inputs.regions]]
        return jnp.einsum("bfr,fi,rj->bij", weights, frames, regions)  # exports know products, not scattering


def _average_outputs(outputs: Sequence[Output]) -> Output:
    """Averages logits and region weights of members; features are the first one's."""
    logits = tuple(output.logits for output in outputs)
    weights = jnp.mean(jnp.stack([output.region_weights for output in outputs]), axis=0)
    return Output(jnp.mean(jnp.stack(logits), axis=0), weights, outputs[0].features, logits)


class _FixedKey:
    """nnx.Rngs with one constant key: counting keys takes most of the time if no values are drawn."""

    def params(self) -> jax.Array:
        return jax.random.key(0)


def abstract_model(config: ModelConfig) -> LipFD:
    """Returns the model with shapes and dtypes instead of arrays; allocates nothing."""
    return nnx.eval_shape(lambda: LipFD(config, rngs=cast(nnx.Rngs, _FixedKey())))


def abstract_weights(config: ModelConfig) -> dict[Any, Any]:
    """Returns the model's parameters and batch statistics as a pure dict of shapes; allocates nothing."""
    return nnx.to_pure_dict(nnx.state(abstract_model(config)))
