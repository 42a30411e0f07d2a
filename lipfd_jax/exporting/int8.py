"""Int8 exports for OpenVINO, quantised on the user's own composites."""

import logging
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.metrics import roc_auc_score

from lipfd_jax.data import records
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.exporting import onnx_file
from lipfd_jax.exporting.program import Program

MODEL = "model.xml"
_MAX_WINDOWS = 100  # for calibration, and as many others to measure the AUC
_MAX_AUC_DROP = 0.005  # products return to float32 until the AUC drops by no more
# Kept in float32: their inputs are pixels or their results scores; little work, and most sensitive.
_FLOAT_SCOPES = ("prepare", "input_convolution", "stem", "fuse")


def write_int8(folder: Path, program: Program, description: str, source: RecordReader) -> None:
    """Writes the quantised program for composites.

    NNCF's post-training quantisation with smoothing, as for transformers, calibrated on up to 100 windows
    spread over the source. If these cover both classes, an equal number of other windows checks the AUC.

    Raises:
      ValueError: a record can't be read.
    """
    # Both libraries report every use from a forked process, unless their telemetry can't be imported.
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))
    import openvino

    with tempfile.TemporaryDirectory(dir=folder) as float_folder:
        onnx_file.write_onnx(Path(float_folder), program, description)
        model = openvino.Core().read_model(Path(float_folder) / onnx_file.MODEL)
        small = quantise_model(model, *select_windows(source))
        small.set_rt_info(description, "lipfd")
        openvino.save_model(small, folder / MODEL, compress_to_fp16=False)


def select_windows(source: RecordReader) -> tuple["WindowDataset", "WindowDataset"]:
    """Selects windows for calibration and others to measure the AUC; a single window serves both."""
    count = len(source)
    places = np.unique(np.linspace(0, count - 1, min(count, 2 * _MAX_WINDOWS)).astype(int)).tolist()
    return WindowDataset(source, places[::2]), WindowDataset(source, places[1::2] or places)


class WindowDataset:
    """Composites (1, 1000, 2500, 3) of a source, by index, decoded one at a time."""

    def __init__(self, source: RecordReader, places: list[int]):
        self.source, self.places = source, places

    def __iter__(self) -> Iterable[np.ndarray]:
        for place in self.places:
            yield records.decode_record(self.source[place])["composite"][None]

    def __len__(self) -> int:
        return len(self.places)

    def labels(self) -> list[int]:
        """Returns the labels of all windows."""
        return [int(self.source[place]["label"]) for place in self.places]


def quantise_model(model: Any, calibrating: Any, validating: "WindowDataset | None" = None) -> Any:
    """Quantises the large products of an OpenVINO model to 8-bit integers.

    Args:
      calibrating: an iterable of model inputs, with a length.
      validating: windows whose AUC is controlled if they cover both classes; the model must take composites.
    """
    import nncf

    nncf.set_log_level(logging.ERROR)
    shared = {
        "calibration_dataset": nncf.Dataset(calibrating),
        "subset_size": len(calibrating),
        "model_type": nncf.ModelType.TRANSFORMER,
        "preset": nncf.QuantizationPreset.MIXED,
        "ignored_scope": nncf.IgnoredScope(
            patterns=[f".*{name}/.*" for name in _FLOAT_SCOPES], validate=False
        ),
    }
    labels = validating.labels() if validating else []
    if len(set(labels)) < 2:
        return nncf.quantize(model, **shared)

    def measure_auc(compiled: Any, windows: Iterable[np.ndarray]) -> tuple[float, None]:
        return roc_auc_score(labels, [float(compiled(window)[0][0]) for window in windows]), None

    control = {
        "validation_dataset": nncf.Dataset(validating),
        "validation_fn": measure_auc,
        "max_drop": _MAX_AUC_DROP,
    }
    return nncf.quantize_with_accuracy_control(model, **control, **shared)
