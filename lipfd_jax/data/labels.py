"""The labels of all records of a source, for drawing real and fake equally often."""

import concurrent.futures
import json
import os
import pathlib
import re

import numpy as np

from lipfd_jax.data.sources import PictureFolder, Records, RecordSource
from lipfd_jax.vocabulary import CLASSES

_THREADS = 8


def labels(source: RecordSource) -> np.ndarray:
    """Returns the label (n,) int8 of every record, 0 real and 1 fake, in the order of the source.

    A folder of composites says them in its names. The records of a build are read once (their pictures not
    decoded) and the labels kept beside them as labels-SPLIT.json, where that folder can be written to.
    """
    if isinstance(source, PictureFolder):
        found = [CLASSES.index(path.parent.name) for path in source.pictures]
        return np.array(found, np.int8)
    if isinstance(source, Records):
        return _kept(source)
    return _read(source)


def _kept(source: Records) -> np.ndarray:
    path = source.folder / f"labels-{re.sub(r'[^0-9a-z]+', '_', source.split.lower())}.json"
    try:
        known = json.loads(path.read_text())
        if known["split"] == source.split and len(known["labels"]) == len(source):
            return np.array([int(label) for label in known["labels"]], np.int8)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or not whole: made again
    found = _read(source)
    _keep(path, {"split": source.split, "labels": "".join(map(str, found))})
    return found


def _keep(path: pathlib.Path, content: dict[str, str]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(content) + "\n")
        partial.replace(path)  # whole or not at all, also where several processes do this at once
    except OSError:
        pass  # data on a read-only disk: the next run reads the labels again


def _read(source: RecordSource) -> np.ndarray:
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda index: int(source[index]["label"]), range(len(source)))
        return np.fromiter(found, np.int8, len(source))
