"""Labels of all records of a source, for balanced drawing."""

import concurrent.futures
import contextlib
import json
import re

import numpy as np
from etils import epath

from lipfd_jax.data.corrupt import CorruptRecord, CorruptRecords
from lipfd_jax.data.data_fingerprint import compute_data_fingerprint
from lipfd_jax.data.sources import CompositeFolder, RecordReader, Records
from lipfd_jax.storage.files import write_text
from lipfd_jax.vocabulary import CLASSES

_THREADS = 8


def read_labels(source: RecordReader, corrupt: CorruptRecords | None = None) -> np.ndarray:
    """Returns the label (n,) int8 of every record, 0 real and 1 fake, in the order of the source.

    The file names of a folder of composites contain them. The records of a build are read once (images are
    not decoded) and their labels cached in the build as labels-SPLIT.json, if that folder is writable.

    Args:
      corrupt: counts records that can't be read; their label is -1. By default the first one is raised.

    Raises:
      CorruptRecord: a record can't be read and may not be skipped.
    """
    corrupt = corrupt or CorruptRecords()
    if isinstance(source, CompositeFolder):
        found = [CLASSES.index(path.parent.name) for path in source.composites]
        return np.array(found, np.int8)
    if isinstance(source, Records):
        return _read_cached_labels(source, corrupt)
    return _read_from_records(source, corrupt)


def _read_cached_labels(source: Records, corrupt: CorruptRecords) -> np.ndarray:
    path = source.folder / f"labels-{re.sub(r'[^0-9a-z]+', '_', source.split.lower())}.json"
    records = compute_data_fingerprint(source).digest
    try:
        known = json.loads(path.read_text())
        if known["records"] == records and len(known["labels"]) == len(source):
            return np.array([int(label) for label in known["labels"]], np.int8)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or damaged: written again
    found = _read_from_records(source, corrupt)
    if found.min() >= 0:
        _write_labels(path, {"records": records, "labels": "".join(map(str, found))})
    return found


def _write_labels(path: epath.Path, content: dict[str, str]) -> None:
    with contextlib.suppress(OSError):  # data on a read-only disk: the next run reads the labels again
        write_text(path, json.dumps(content) + "\n")


def _read_from_records(source: RecordReader, corrupt: CorruptRecords) -> np.ndarray:
    def label(index: int) -> int:
        try:
            return int(source[index]["label"])
        except CorruptRecord as error:
            corrupt.note(index, error)
            return -1

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        return np.fromiter(pool.map(label, range(len(source))), np.int8, len(source))
