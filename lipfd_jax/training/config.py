"""Settings of a training run, each with its meaning and default."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from lipfd_jax.data.augmentation import AugmentationSettings
from lipfd_jax.data.corrupt import CorruptPolicy
from lipfd_jax.data.pairs import PairSettings
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.settings import build_settings, check_ranges

_ANY = float("inf")
_LARGEST = sys.float_info.max  # finite


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Data of a run and its readers."""

    path: str = "data"  # TFDS data_dir, or a folder of composites
    builder_config: str = ""  # which built config, where the data_dir holds several
    train_split: str = "train"
    validation_split: str = "validation"  # "" for no validation; then the latest checkpoint is the best
    validation_path: str = (
        ""  # where the validation records are, if not `path`; folders of composites have no splits
    )
    validation_samples: int = 0  # at most this many samples of it per evaluation, 0 for all
    threads: int = 4  # reading threads per process; each holds a batch, 7.5 MB a sample
    balance: bool = False  # draw real and fake equally often, whatever their counts
    corrupt_records: CorruptPolicy = "stop"  # save and end the run; or "skip": others replace them
    corrupt_share: float = 0.01  # share of all records; with more corrupt ones, skipping ends the run too
    changed_records: bool = False  # resume although the run began on other records
    augmentation: AugmentationSettings = dataclasses.field(default_factory=AugmentationSettings)
    pairs: PairSettings = dataclasses.field(default_factory=PairSettings)  # of clip records
    # Further sets of clip records, the settings of `ClipSetSettings` each: {"path": ..., "weight": 1.0}.
    more_sets: tuple[Mapping[str, Any], ...] = ()
    left_out: str = ""  # file with a source a line: their clips are not trained on

    def __post_init__(self) -> None:
        check_ranges(self, "data.", validation_samples=(0, _ANY), threads=(1, 1024), corrupt_share=(0, 1))


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """AdamW with warm-up and cosine decay."""

    learning_rate: float = 1e-4  # peak
    warmup_steps: int = 100
    final_factor: float = 0.01  # learning rate at the last step, over the peak
    weight_decay: float = 1e-3  # not on norms and biases
    clip_norm: float = 1.0  # largest global gradient norm; 0 for none
    trained_blocks: int = 0  # encoder: 0 frozen, n its last n blocks and what follows them, -1 whole
    frozen_blocks: int = 0  # backbone's first blocks that stay as they are, and then its statistics
    head_factor: float = 1.0  # learning rate of the classifier and the region weights, relative
    encoder_factor: float = 0.1  # learning rate of the encoder's trained part, relative
    accumulate: int = 1  # parts a batch is cut into, to fit memory
    ema: float = 0.0  # decay of an averaged copy of the parameters, which is then evaluated; 0 for none

    def __post_init__(self) -> None:
        rates = (
            "learning_rate",
            "final_factor",
            "weight_decay",
            "clip_norm",
            "encoder_factor",
            "head_factor",
        )
        check_ranges(self, "optimizer.", **dict.fromkeys(rates, (0, _LARGEST)))
        check_ranges(
            self, "optimizer.", warmup_steps=(0, _ANY), trained_blocks=(-1, _ANY), accumulate=(1, _ANY)
        )
        check_ranges(self, "optimizer.", frozen_blocks=(0, _ANY))
        check_ranges(self, "optimizer.", ema=(0, 1))


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """Binary cross-entropy + weight x region-awareness, ranking (of pairs) and distillation loss."""

    region_weight: float = 0.01  # 0.01 worked, 1 was unstable (published replications)
    label_smoothing: float = 0.0
    rank_weight: float = 0.0  # of softplus(real logit - forged logit), the mean over pairs
    teacher_weight: float = 1.0  # of the distance from the logits of `teacher`, where there is one
    temperature: float = 2.0  # by which both logits are divided there

    def __post_init__(self) -> None:
        check_ranges(self, "loss.", region_weight=(0, _LARGEST), label_smoothing=(0, 1))
        check_ranges(self, "loss.", rank_weight=(0, _LARGEST), teacher_weight=(0, _LARGEST))
        check_ranges(self, "loss.", temperature=(0.01, 1000))


_PERIODS = ("log_every", "evaluate_every", "checkpoint_every")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One training run."""

    name: str = "lipfd"
    seed: int = 0
    steps: int = 20_000
    batch_size: int = 256  # global, over all devices and processes
    log_every: int = 50  # steps between lines in metrics.jsonl; 0 for none, also of the next two
    evaluate_every: int = 1000  # steps between validations
    checkpoint_every: int = 1000
    keep: int = 2  # latest checkpoints kept, besides the best by validation AUC (mean over several sets)
    fsdp: int = 1  # devices that share one copy of the parameters
    start_encoder: str = ""  # file with CLIP image-encoder weights (model.safetensors); "" draws them
    start_backbone: str = ""  # file with weights of the backbone, or "efficientnet_lite0"; "" draws them
    start: str = ""  # checkpoint to start from (ours or converted); "" for none
    teacher: str = ""  # checkpoint whose logits are learned beside the labels; "" for none
    model: ModelConfig = dataclasses.field(default_factory=lambda: ModelConfig(dtype="bfloat16"))
    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    optimizer: OptimizerSettings = dataclasses.field(default_factory=OptimizerSettings)
    loss: LossSettings = dataclasses.field(default_factory=LossSettings)

    def __post_init__(self) -> None:
        check_ranges(self, seed=(0, 2**31 - 1), steps=(1, 2**31 - 1), batch_size=(1, _ANY), keep=(1, _ANY))
        periods: dict[str, Any] = dict.fromkeys(_PERIODS, (0, _ANY))
        check_ranges(self, fsdp=(1, _ANY), **periods)
        self._check_pairs()
        if self.teacher and not self.loss.teacher_weight:
            raise ValueError(f"teacher={self.teacher}: loss.teacher_weight=0 ignores it; leave teacher unset")
        if self.batch_size % self.optimizer.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} can't be cut into optimizer.accumulate="
                f"{self.optimizer.accumulate} equal parts"
            )

    def _check_pairs(self) -> None:
        pairs = bool(self.data.pairs.wanted)
        if pairs and self.model.encoder != "none":
            raise ValueError(
                f"data.pairs: show frames alone; model.encoder={self.model.encoder!r} takes whole composites"
            )
        needed, shown = self.model.inputs.frame_numbers, self.data.pairs.frame_numbers
        if pairs and "motion" in self.model.members and shown != needed:
            raise ValueError(
                f"data.pairs.frame_numbers={shown}: motion is between the frames of "
                f"model.inputs.frame_numbers; set it to {needed}"
            )
        if self.loss.rank_weight and not pairs:
            raise ValueError(f"loss.rank_weight={self.loss.rank_weight}: without data.pairs there are none")
        if pairs and (self.batch_size % 2 or self.optimizer.accumulate > 1):
            raise ValueError(
                f"data.pairs: batch_size={self.batch_size} has to be even, and optimizer.accumulate 1"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Experiment":
        """Builds an experiment from nested plain values; ValueError names unknown and mistyped settings."""
        return build_settings(cls(), values)

    def to_dict(self) -> dict[str, Any]:
        """Returns nested plain values, as configs and checkpoints hold them."""
        return dataclasses.asdict(self)
