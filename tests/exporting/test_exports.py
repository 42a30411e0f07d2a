"""An export gives the checkpoint's scores in every engine, describes itself, and is refused if damaged."""

import dataclasses
import importlib.util
import json

import jax
import numpy as np
import pytest
from flax import nnx

import lipfd_jax
from lipfd_jax.checkpoints.calibration import write_calibration
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import open_model, save_model
from lipfd_jax.data.sources import CompositeFolder
from lipfd_jax.evaluation.calibration import CalibrationSettings, calibrate_checkpoint
from lipfd_jax.evaluation.evaluate import Options
from lipfd_jax.evaluation.grid import NamedPath, evaluate_grid
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.exporting.write import export_checkpoint
from lipfd_jax.inference.engines import open_export
from lipfd_jax.models.inputs import PAPER, RELEASED, prepare_inputs
from lipfd_jax.models.lipfd import ModelConfig
from tests.checkpoints.test_calibration import PLATT
from tests.drawn import drawn

ENGINES = {"onnxruntime": "onnx", "openvino": "onnx", "jax": "stablehlo"}


def save(path, inputs=PAPER, scale=1.0, **choices):
    inputs = dataclasses.replace(inputs, picture_size=80, crop_size=32)
    config = ModelConfig("vit_tiny", "resnet_tiny", inputs, **choices)
    weights = nnx.to_pure_dict(nnx.state(drawn(config)))
    weights["fc"]["kernel"] *= scale  # so that scores are far from 0 and 1
    save_model(path, weights, Metadata(config, window_convention=inputs.name, origin="a test"))
    write_calibration(path, dataclasses.replace(PLATT, weights=open_model(path).fingerprint))
    return path


def needs(*modules):
    for module in modules:
        if not importlib.util.find_spec(module):
            pytest.skip(f"{module} is not installed (the extra `export`)")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save(tmp_path_factory.mktemp("checkpoint") / "model")


@pytest.fixture(scope="module")
def exports(checkpoint, tmp_path_factory):
    """A folder with an export in each format."""
    needs("onnx", "flatbuffers")
    folder = tmp_path_factory.mktemp("exports")
    for format in set(ENGINES.values()):
        export_checkpoint(checkpoint, folder / format, format=format)
    return folder


@pytest.fixture(scope="module")
def some():
    return np.random.default_rng(0).integers(0, 256, (3, 1000, 2500, 3), np.uint8)


@pytest.mark.parametrize("engine", ENGINES)
def test_scores_are_the_checkpoint_s(checkpoint, exports, some, engine):
    needs(engine)
    expected = lipfd_jax.Detector.open(checkpoint).predict(some)
    detector = lipfd_jax.Detector.open(exports / ENGINES[engine], engine=engine, batch_size=2)
    found = detector.predict(some)
    assert np.ptp(expected.probabilities) > 1e-3
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-4)
    original = open_model(checkpoint)
    assert dataclasses.replace(detector.metadata, sums=original.metadata.sums) == original.metadata


@pytest.fixture(scope="module")
def int8(checkpoint, composites, tmp_path_factory):
    needs("nncf", "openvino", "onnx")
    folder = tmp_path_factory.mktemp("int8") / "int8"
    export_checkpoint(checkpoint, folder, format="int8", calibrate=CompositeFolder(composites))
    return folder


@pytest.mark.slow
def test_int8_is_smaller_and_near(checkpoint, exports, int8, composites, some):
    expected = lipfd_jax.Detector.open(checkpoint).predict(some)
    detector = lipfd_jax.Detector.open(int8)
    found = detector.predict(some)
    assert (found.probabilities != expected.probabilities).all()
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=0.1)
    assert detector.fingerprint == open_model(checkpoint).fingerprint + " in int8"
    files = int8 / "model.bin", exports / "onnx" / "weights.bin"
    small, whole = (file.stat().st_size for file in files)
    assert small < 0.6 * whole  # resizing and heads stay float32
    on = json.loads((int8 / "export.json").read_text())["quantised_on"]
    assert on.startswith(f"{len(CompositeFolder(composites))} composites in {composites.name}")


@pytest.mark.slow
def test_int8_goes_with_records_and_composites(checkpoint, composites, tmp_path):
    source = CompositeFolder(composites)
    for choices in ({"format": "int8"}, {"format": "onnx", "calibrate": source}):
        with pytest.raises(ValueError, match="int8 takes composites and is calibrated on data"):
            export_checkpoint(checkpoint, tmp_path / "out", **choices)


def test_openvino_in_bfloat16_is_near(exports, some):
    needs("openvino")
    exact, half = (
        lipfd_jax.Detector.open(exports / "onnx", engine="openvino", precision=p) for p in (None, "bfloat16")
    )
    np.testing.assert_allclose(half.score(some), exact.score(some), atol=0.02)
    assert half.fingerprint == exact.fingerprint + " in bfloat16"
    with pytest.raises(ValueError, match="computed in float32; bfloat16 needs openvino"):
        open_export(exports / "onnx", "onnxruntime", "bfloat16")


@pytest.mark.slow
def test_the_released_inputs_are_exported_too(tmp_path, some):
    needs("onnx", "onnxruntime")
    checkpoint = save(tmp_path / "model", RELEASED, scale=1e-3, activation="gelu")
    export_checkpoint(checkpoint, tmp_path / "onnx", format="onnx")
    expected = lipfd_jax.Detector.open(checkpoint).score(some)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(lipfd_jax.Detector.open(tmp_path / "onnx").score(some), expected, atol=1e-4)


def test_prepared_pictures_go_in_where_asked_for(checkpoint, tmp_path, some):
    needs("onnx", "onnxruntime")
    export_checkpoint(checkpoint, tmp_path / "prepared", format="onnx", source="prepared")
    opened = open_export(tmp_path / "prepared")
    batch = jax.jit(prepare_inputs, static_argnums=1)(some, opened.metadata.model.inputs)
    found, _ = opened.run(*map(np.asarray, batch))
    np.testing.assert_allclose(found, lipfd_jax.Detector.open(checkpoint).score(some), atol=1e-4)
    with pytest.raises(CheckpointError, match="takes prepared inputs; export with --inputs=composites"):
        lipfd_jax.Detector.open(tmp_path / "prepared")


def test_programs_say_inside_what_they_are(checkpoint, exports):
    import onnx
    from safetensors import safe_open

    fingerprint = open_model(checkpoint).fingerprint
    model = onnx.load(exports / "onnx" / "model.onnx", load_external_data=False)
    (inside,) = (prop.value for prop in model.metadata_props if prop.key == "lipfd")
    with safe_open(exports / "stablehlo" / "weights.safetensors", "numpy") as file:
        texts = [inside, file.metadata()["lipfd"]]
    for text in texts:
        about = json.loads(text)
        assert about["fingerprint"] == fingerprint
        assert about["metadata"]["windows"] == "paper"
        assert about["calibration"]["threshold"] == PLATT.threshold
        assert {"made", "versions", "source"} <= about.keys()


@pytest.mark.parametrize("format", ["onnx", "stablehlo"])
def test_a_damaged_export_is_refused(checkpoint, exports, tmp_path, format):
    for file in sorted((exports / format).iterdir()):
        whole = file.read_bytes()
        file.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
        with pytest.raises(CheckpointError, match=rf"{file.name}.* is damaged"):
            open_export(exports / format)
        file.write_bytes(whole)
    open_export(exports / format)


def test_engines_and_folders_that_do_not_fit_are_refused(checkpoint, exports, tmp_path):
    with pytest.raises(CheckpointError, match="it is stablehlo, which onnxruntime does not run; use jax"):
        open_export(exports / "stablehlo", "onnxruntime")
    with pytest.raises(ValueError, match="openvino runs no checkpoints; lipfd export it first"):
        lipfd_jax.Detector.open(checkpoint, engine="openvino")
    with pytest.raises(CheckpointError, match="replace it with --overwrite"):
        export_checkpoint(checkpoint, exports / "onnx", format="onnx")
    (tmp_path / "kept").mkdir()
    with pytest.raises(CheckpointError, match="not an export, so it is not replaced"):
        export_checkpoint(checkpoint, tmp_path / "kept", format="onnx", overwrite=True)
    export_checkpoint(checkpoint, exports / "onnx", format="onnx", overwrite=True)
    assert sorted(path.name for path in exports.iterdir()) == ["onnx", "stablehlo"]


def test_an_export_is_evaluated_like_its_checkpoint(checkpoint, exports, composites, tmp_path):
    needs("onnxruntime")
    sides = [NamedPath("ours", str(checkpoint)), NamedPath("export", str(exports / "onnx"))]
    options = Options(examples=0, bootstrap=BootstrapSettings(draws=20))
    data = [NamedPath("drawn", str(composites))]
    cells = evaluate_grid(sides, data, tmp_path, open_data=CompositeFolder, options=options).cells
    ours, export_s = (cells[side.name, "drawn"].scores for side in sides)
    np.testing.assert_allclose(export_s.score, ours.score, atol=1e-4)
    assert "onnxruntime" in (tmp_path / "export" / "drawn" / "evaluated.json").read_text()


def test_an_export_keeps_the_calibration_of_its_checkpoint(exports, composites, tmp_path):
    assert open_export(exports / "onnx").calibration.data == PLATT.data
    with pytest.raises(ValueError, match="fit that one, then export it again"):
        calibrate_checkpoint(
            str(exports / "onnx"), CompositeFolder(composites), tmp_path, settings=CalibrationSettings()
        )


@pytest.mark.parametrize("engine", ["onnxruntime", "jax"])
def test_a_model_without_an_encoder_is_exported(tmp_path, some, engine):
    needs(engine, "onnx", "flatbuffers")
    inputs = dataclasses.replace(
        PAPER, picture_size=0, crop_size=32, frame_numbers=(0, 2, 4), regions=("face", "lip")
    )
    config = ModelConfig("none", "resnet_tiny", inputs, members=("still", "motion"))
    weights = nnx.to_pure_dict(nnx.state(drawn(config)))
    save_model(tmp_path / "model", weights, Metadata(config, window_convention="paper", origin="a test"))
    export_checkpoint(tmp_path / "model", tmp_path / "export", format=ENGINES[engine])
    expected = lipfd_jax.Detector.open(tmp_path / "model").predict(some)
    found = lipfd_jax.Detector.open(tmp_path / "export", engine=engine, batch_size=2).predict(some)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
