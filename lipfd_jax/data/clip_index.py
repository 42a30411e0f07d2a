"""Index of a source of clip records: what each record is, so that training can draw without reading them."""

import concurrent.futures
import contextlib
import dataclasses
import json
import re
from dataclasses import dataclass

from lipfd_jax.data.clip_records import decode_clip
from lipfd_jax.data.corrupt import CorruptRecord, CorruptRecords
from lipfd_jax.data.data_fingerprint import compute_data_fingerprint
from lipfd_jax.data.sources import RecordReader, Records
from lipfd_jax.storage.files import write_text

_THREADS = 4


@dataclass(frozen=True)
class ClipEntry:
    """A clip record without its frames and sound."""

    index: int  # number of the record in its source
    video: str  # CLASS/NAME
    part: int  # number within the video
    label: int  # 0 real, 1 fake
    source: str  # group of clips with the same footage or person
    generator: str  # "" where unknown
    starts: int  # number of frames with which a window can start
    seconds: float  # from the first frame to the last
    side: float  # median side of the face's square in the video, pixels


def read_clip_index(source: RecordReader, corrupt: CorruptRecords | None = None) -> list[ClipEntry]:
    """Returns an entry for each record of a source of clips, in its order.

    The records of a build are read once, and the entries cached in it as clips-SPLIT.json, if that folder is
    writable.

    Args:
      corrupt: counts records that can't be read, which have no entry. By default the first one is raised.

    Raises:
      CorruptRecord: a record can't be read and may not be skipped.
    """
    corrupt = corrupt or CorruptRecords()
    if not isinstance(source, Records):
        return _read_from_records(source, corrupt)
    path = source.folder / f"clips-{re.sub(r'[^0-9a-z]+', '_', source.split.lower())}.json"
    records = compute_data_fingerprint(source).digest
    try:
        known = json.loads(path.read_text())
        if known["records"] == records:
            return [ClipEntry(**entry) for entry in known["clips"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or damaged: written again
    found = _read_from_records(source, corrupt)
    if len(found) == len(source):
        content = {"records": records, "clips": [dataclasses.asdict(entry) for entry in found]}
        with contextlib.suppress(OSError):  # data on a read-only disk: the next run reads the records again
            write_text(path, json.dumps(content) + "\n")
    return found


def _read_from_records(source: RecordReader, corrupt: CorruptRecords) -> list[ClipEntry]:
    def describe(index: int) -> ClipEntry | None:
        try:
            return _describe_record(source, index)
        except CorruptRecord as error:
            corrupt.note(index, error)
            return None

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        return [entry for entry in pool.map(describe, range(len(source))) if entry is not None]


def _describe_record(source: RecordReader, index: int) -> ClipEntry:
    clip = decode_clip(source[index])
    sides = sorted(clip.squares[:, 2].tolist())
    return ClipEntry(
        index=index,
        video=clip.video,
        part=clip.part,
        label=clip.label,
        source=clip.source,
        generator=clip.generator,
        starts=len(clip.starts),
        seconds=float(clip.ends[-1] - clip.times[0]),
        side=sides[len(sides) // 2],
    )
