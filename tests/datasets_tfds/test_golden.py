"""Composites rebuilt from records that were written and read back are those of the released code."""

import csv
import hashlib
import shutil
from collections import defaultdict

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from datasets_tfds import build
from datasets_tfds.build_settings import select_settings
from lipfd_jax.preprocessing import encoding

MEL_TOLERANCE = 2  # of 255, where another resampler than the recorded one read the wav


def _records(builder):
    for split in builder.info.splits:
        feature = builder.info.features
        skip = {n: tfds.decode.SkipDecoding() for n in feature if isinstance(feature[n], tfds.features.Image)}
        yield from builder.as_data_source(split, decoders=skip)


def _built(media, folder, config, workers):
    for part in ("AVLips", "tricky"):
        shutil.copytree(media / part, folder / "data", dirs_exist_ok=True)
    settings = select_settings(config, fractions=(0.0, 0.0, 1.0))
    return build.build(
        manual_dir=str(folder / "data"), data_dir=str(folder), settings=settings, workers=workers
    )


def _sha(half):
    return hashlib.sha256(np.ascontiguousarray(half).tobytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("config", ["avlips-released", "avlips-composite-released"])
def test_rebuilt_composites_have_the_recorded_sums(golden, media, tmp_path, config):
    with open(golden / "composites" / "sha256.csv") as file:
        recorded = {(row["clip"], int(row["window"])): row for row in csv.DictReader(file)}
    mels = defaultdict(list)
    seen = set()
    for record in _records(_built(media, tmp_path, config, workers=2)):
        key = record["video"].decode(), record["window"]
        picture = encoding.rebuild_composite(record)
        assert _sha(picture[500:]) == recorded[key]["frames_sha256"], key
        mels[_sha(picture[:500]) == recorded[key]["mel_sha256"]].append((key, picture[:500]))
        seen.add(key)
    assert seen == recorded.keys()
    for (clip, window), mel in mels[False]:
        path = golden / "composites" / f"{clip.replace('/', '__')}_{window}.png"
        if path.exists():
            expected = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)[:500]
            assert np.abs(expected.astype(int) - mel).max() <= MEL_TOLERANCE, (clip, window)
    assert len(mels[True]) > len(mels[False])
    print(f"{len(mels[True])} mel halves equal, {len(mels[False])} not")
