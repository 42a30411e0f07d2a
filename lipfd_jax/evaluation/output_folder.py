"""Output folder of an evaluation.

Records which weights and data its scores belong to, refuses others, and replaces old results only when new
ones are complete.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lipfd_jax.evaluation.report.metrics_files import METRICS_CSV, METRICS_JSON, REPORT_HTML, VIDEOS_CSV
from lipfd_jax.storage import files
from lipfd_jax.storage.checksums import hash_file
from lipfd_jax.storage.claims import claim_note, read_note

SCORES_CSV, SKIPPED_CSV, IDENTITY_JSON = "scores.csv", "skipped.csv", "evaluated.json"
_ALL = (SCORES_CSV, SKIPPED_CSV, IDENTITY_JSON, METRICS_JSON, METRICS_CSV, VIDEOS_CSV, REPORT_HTML)
_OLD = ".old"  # suffix of old results until the new ones are complete


@dataclass(frozen=True)
class ScoresIdentity:
    """Identity of scores. Weights, records and settings decide; the rest is for readers."""

    weights: str  # fingerprint of the checkpoint's arrays
    records: str  # fingerprint of the records
    settings: str  # everything else that changes scores: inputs, number format
    checkpoint: str  # description, with its path
    data: str  # description

    def is_same(self, other: "ScoresIdentity") -> bool:
        """Whether both are of the same weights, records and settings; paths are not compared."""
        return self._key() == other._key()

    def _key(self) -> tuple[str, str, str]:
        return self.weights, self.records, self.settings

    def __str__(self) -> str:
        return f"{self.checkpoint} (weights {self.weights}, {self.settings}) on {self.data}"


def claim_folder(folder: str | os.PathLike, wanted: ScoresIdentity, *, overwrite: bool = False) -> Path:
    """Claims a folder for scores: those already there must be of the wanted identity.

    Args:
      overwrite: put what the folder holds of another evaluation, or of this one, aside and start anew. It
        goes when the new one is finished (`finish_folder`).

    Raises:
      ValueError: scores of another identity, or changed since they were finished; both are named.
      OSError: the folder can't be made or written to.
    """
    if "://" in str(folder):
        raise ValueError(f"{folder}: scores are written row by row, so this must be a folder on a disk")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if overwrite:
        _put_aside(folder)
    note = folder / IDENTITY_JSON
    if (folder / SCORES_CSV).exists() and not note.exists():
        raise ValueError(
            f"{folder}: holds {SCORES_CSV}, but no {IDENTITY_JSON} that names their checkpoint and data; "
            "give another --output, or --overwrite to start anew"
        )
    found = claim_note(
        note, asdict(wanted), lambda found: _find_conflict(_parse_identity(note, found), wanted)
    )
    if found and found.get("scores") not in (None, _compute_checksum(folder / SCORES_CSV)):
        raise ValueError(
            f"{folder / SCORES_CSV}: changed or damaged since the evaluation was finished; "
            "--overwrite scores anew"
        )
    return folder


def read_scores_identity(folder: str | os.PathLike) -> ScoresIdentity:
    """Reads the identity of a claimed folder's scores. Raises ValueError where it is damaged."""
    note = Path(folder) / IDENTITY_JSON
    return _parse_identity(note, read_note(note))


def finish_folder(folder: Path) -> None:
    """Stores the checksum of the complete scores, and removes old results that were put aside."""
    content = read_note(folder / IDENTITY_JSON)
    files.write_json(folder / IDENTITY_JSON, {**content, "scores": _compute_checksum(folder / SCORES_CSV)})
    for name in _ALL:
        (folder / f"{name}{_OLD}").unlink(missing_ok=True)


def _put_aside(folder: Path) -> None:
    waiting = (folder / f"{SCORES_CSV}{_OLD}").exists()  # then the file here is an unfinished successor
    for name in _ALL:
        file = folder / name
        if waiting:
            file.unlink(missing_ok=True)
        elif file.exists():
            file.replace(folder / f"{name}{_OLD}")


def _find_conflict(found: ScoresIdentity, wanted: ScoresIdentity) -> str:
    return "" if found.is_same(wanted) else f"holds scores of {found}, expected {wanted}"


def _parse_identity(note: Path, content: Mapping[str, str]) -> ScoresIdentity:
    if missing := set(ScoresIdentity.__dataclass_fields__) - set(content):
        raise ValueError(
            f"{note}: of another version, it lacks {', '.join(sorted(missing))}; "
            "give another --output, or --overwrite to start anew"
        )
    return ScoresIdentity(**{name: content[name] for name in ScoresIdentity.__dataclass_fields__})


def _compute_checksum(file: Path) -> str:
    return hash_file(file) if file.exists() else "missing"
