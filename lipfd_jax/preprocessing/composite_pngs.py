"""Composites of a data set as PNG files, with a journal from which an interrupted run resumes."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lipfd_jax.listing.clips import Clip, ClipError, Listing
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.listing.problems import count_hidden
from lipfd_jax.listing.synthetic_mark import mark_synthetic
from lipfd_jax.preprocessing.clip_task import ClipOutcome
from lipfd_jax.preprocessing.composite import make_composite
from lipfd_jax.preprocessing.containers import DamagePolicy
from lipfd_jax.preprocessing.encoding import encode_png
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, TrackRequest
from lipfd_jax.preprocessing.workers import map_clips
from lipfd_jax.storage.error_log import append_traceback
from lipfd_jax.storage.files import remove_leftovers, write_bytes, write_text
from lipfd_jax.storage.locks import lock_folder
from lipfd_jax.vocabulary import CLASSES, CONVENTION_FILE, WindowConvention, composite_name

JOURNAL = "preprocess.jsonl"  # one line per finished clip: {"video", "windows", "pictures", "warnings"}


@dataclass(frozen=True)
class PngSummary:
    """Result of a run."""

    built: int  # clips
    skipped: int  # clips finished in an earlier run
    composites: int  # count of built and skipped clips
    warnings: tuple[tuple[str, str], ...]  # (video, warning)
    problems: tuple[tuple[str, str], ...]  # (name, reason why nothing was built)
    missing: tuple[str, ...]  # composites that should exist and do not
    hidden: int = 0  # hidden files, which were skipped

    def __str__(self) -> str:
        lines = [f"warning: {video}: {text}" for video, text in self.warnings]
        lines += [f"not built: {name}: {reason}" for name, reason in self.problems]
        lines += [f"missing: {name}" for name in self.missing]
        lines += [f"skipped: {count_hidden(self.hidden)}"] if self.hidden else []
        lines.append(
            f"{self.built} clips built, {self.skipped} finished earlier, {len(self.problems)} not built; "
            f"{self.composites} composites, {len(self.missing)} missing"
        )
        return "\n".join(map(escape_controls, lines))


def write_composites(
    listing: Listing,
    output: Path,
    *,
    convention: WindowConvention,
    workers: int,
    damaged: DamagePolicy = "refuse",
    tracks: TrackRequest = NO_REQUEST,
    progress: bool = False,
) -> PngSummary:
    """Writes {0_real,1_fake}/NAME_J.png for all windows of all clips, then checks that all of them exist.

    Clips that fail are reported and skipped. Files are written atomically; clips finished in an earlier run
    are not built again. Raises ClipError if the output folder holds windows of the other convention,
    InUseError if another run writes to it, and the errors of `map_clips` for failures of the machine.
    """
    for name in CLASSES:
        (output / name).mkdir(parents=True, exist_ok=True)
    with lock_folder(output, "preprocessing"):
        for name in CLASSES:
            remove_leftovers(output / name)
        return _write_all(listing, output, convention, damaged, tracks, workers, progress)


def _write_all(
    listing: Listing,
    output: Path,
    convention: WindowConvention,
    damaged: DamagePolicy,
    tracks: TrackRequest,
    workers: int,
    progress: bool,
) -> PngSummary:
    finished = _read_finished(output, convention)
    write_text(output / CONVENTION_FILE, f"{convention}\n")
    if listing.synthetic:
        mark_synthetic(output, {"what": "composites of drawn people"})
    todo = [clip for clip in listing.clips if clip.video not in finished]
    skipped = len(listing.clips) - len(todo)
    warnings, problems = [], list(listing.problems)
    outcomes = map_clips(
        functools.partial(_write_clip, output=output, convention=convention, damaged=damaged, tracks=tracks),
        todo,
        workers=workers,
    )
    with open(output / JOURNAL, "a", encoding="utf-8") as journal:
        journal.write("\n" if _ends_mid_line(output / JOURNAL) else "")
        for outcome in tqdm(outcomes, total=len(todo), unit="clip", disable=not progress):
            if outcome.problem:
                problems.append((outcome.clip.video, _log_fault(output, outcome)))
                continue
            entry = _make_entry(outcome, convention)
            warnings += [(outcome.clip.video, text) for text in entry["warnings"]]
            finished[outcome.clip.video] = entry
            journal.write(json.dumps(entry) + "\n")
            journal.flush()
    ours = [finished[clip.video] for clip in listing.clips if clip.video in finished]
    names = [composite_name(entry["video"], index) for entry in ours for index in range(entry["pictures"])]
    return PngSummary(
        built=len(ours) - skipped,
        skipped=skipped,
        composites=len(names),
        warnings=tuple(warnings),
        problems=tuple(problems),
        missing=tuple(name for name in names if not (output / name).is_file()),
        hidden=listing.hidden,
    )


def _log_fault(output: Path, outcome: ClipOutcome) -> str:
    """Returns a clip's problem, with the place of its traceback if there is one."""
    if not outcome.traceback:
        return outcome.problem
    log = append_traceback(output, outcome.clip.video, outcome.traceback)
    return f"{outcome.problem}; traceback in {log}"


def _write_clip(
    clip: Clip, *, output: Path, convention: WindowConvention, damaged: DamagePolicy, tracks: TrackRequest
) -> tuple[int, tuple[str, ...]]:
    extraction = extract_windows(clip, convention, damaged, tracks=tracks)
    for window in extraction.cut_windows:
        write_bytes(output / composite_name(clip.video, window.index), encode_png(make_composite(window)))
    return len(extraction.cut_windows), extraction.warnings


def _make_entry(
    outcome: ClipOutcome[Clip, tuple[int, tuple[str, ...]]], convention: WindowConvention
) -> dict:
    assert outcome.result is not None  # it has no problem
    count, warnings = outcome.result
    return {
        "video": outcome.clip.video,
        "windows": convention,
        "pictures": count,
        "warnings": list(warnings),
    }


def _read_finished(output: Path, convention: WindowConvention) -> dict[str, dict]:
    """Returns the journal entries of clips whose composites all exist."""
    journal = output / JOURNAL
    entries = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        try:
            entry = json.loads(line)
            video, held, _ = entry["video"], entry["windows"], int(entry["pictures"])
        except (ValueError, TypeError, KeyError):
            continue  # an empty, damaged or truncated line: its clip is built again
        if held != convention:
            raise ClipError(f"{output}: holds {held} windows; use another folder for {convention} windows")
        entries[video] = entry
    return {video: entry for video, entry in entries.items() if _is_complete(output, entry)}


def _is_complete(output: Path, entry: dict) -> bool:
    """Whether all composites exist and have content; a power failure can leave empty files."""
    paths = (output / composite_name(entry["video"], index) for index in range(entry["pictures"]))
    return all(path.is_file() and path.stat().st_size for path in paths)


def _ends_mid_line(journal: Path) -> bool:
    data = journal.read_bytes()
    return bool(data) and not data.endswith(b"\n")
