"""Detection of many videos: results on disk, a line for each, and earlier results reused."""

import concurrent.futures
import csv
import io
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lipfd_jax.detection.analysis import Progress
from lipfd_jax.detection.batches import Predict, SharedBatches
from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.provenance import compute_fingerprint, hash_inputs
from lipfd_jax.detection.result import SCHEMA
from lipfd_jax.detection.texts import OUTCOMES, Outcome, format_number
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.storage import files
from lipfd_jax.storage.locks import lock_folder

RESULT, PAGE, TABLE = "result.json", "report.html", "results.csv"
EXIT_NONE, EXIT_ERROR, EXIT_EVIDENCE, EXIT_OPEN = 0, 1, 10, 11
_VIDEOS_AT_ONCE = 2  # one is decoded while another is scored
_PARTS = {"looking": ("looking for faces", "s"), "scoring": ("scoring", "window")}  # title, unit
_COLUMNS = ("file", "outcome", "score", "log10_likelihood_ratio", "probability", "faces", "error", "result")


@dataclass(frozen=True)
class VideoRow:
    """Outcome of one video, a row of the terminal and of results.csv."""

    path: Path
    outcome: Outcome | None  # None for an error
    score: float | None
    log10_likelihood_ratio: float | None
    probability: float | None
    faces: int
    folder: Path | None  # holds result.json and report.html
    error: str = ""
    again: bool = False  # an earlier result was found

    def text(self) -> str:
        """The row as a line for the terminal."""
        name = escape_controls(str(self.path))
        if self.outcome is None:
            return f"error: {escape_controls(self.error)}"
        metrics = [] if self.score is None else [f"score {format_number(self.score, 3)}"]
        if self.log10_likelihood_ratio is not None:
            metrics.append(f"likelihood ratio {format_number(10**self.log10_likelihood_ratio)}")
        metrics.append(f"{self.faces} face{'s' * (self.faces != 1)}")
        before = ", judged before" * self.again
        return f"{name}: {OUTCOMES[self.outcome].title} ({', '.join(metrics)}{before})"


def detect_videos(
    model: Predictor,
    videos: Sequence[Path],
    output: Path,
    *,
    sound: Path | None = None,
    settings: DetectionSettings | None = None,
    table: bool = False,
    print_line: Callable[[str], None] = tqdm.write,
    check: Callable[[], None] | None = None,
) -> list[VideoRow]:
    """Detects videos, two at a time; writes result.json and report.html of each below `output`.

    A video that can't be read gets a row with its error; the others continue.

    Args:
      table: also write results.csv.
      print_line: called with each row as a line for the terminal.
      check: called while videos are read; an exception it raises ends the work.

    Raises:
      OSError: the output can't be written.
      InUseError: another process writes to the same output.
    """
    settings = settings or DetectionSettings()
    output.mkdir(parents=True, exist_ok=True)
    batches, ended = SharedBatches(model.predict, lambda: model.batch_size), threading.Event()
    with lock_folder(output, "a detection"), tqdm(total=len(videos), unit="video", disable=None) as bar:
        progress = _make_progress(bar, len(videos), _make_check(ended, check))

        def detect_one(path: Path) -> VideoRow:
            with batches.client() as predict:
                return _detect_video(model, path, output, sound, settings, predict, progress)

        def show_row(row: VideoRow) -> None:
            print_line(row.text())
            if len(videos) > 1:
                bar.update()

        rows = _collect_rows(detect_one, videos, show_row, ended)
    if table:
        _write_table(output / TABLE, rows)
    return rows


def choose_exit_code(rows: Sequence[VideoRow]) -> int:
    """Exit code: 1 after an error, else 10 with evidence, 11 if inconclusive or not scored, 0 for none."""
    outcomes = {row.outcome for row in rows}
    if None in outcomes:
        return EXIT_ERROR
    if outcomes & {"strong", "moderate"}:
        return EXIT_EVIDENCE
    return EXIT_OPEN if outcomes & {"inconclusive", "not_judged"} else EXIT_NONE


def _collect_rows(
    detect_one: Callable[[Path], VideoRow],
    videos: Sequence[Path],
    show_row: Callable[[VideoRow], None],
    ended: threading.Event,
) -> list[VideoRow]:
    """Detects videos in threads and shows their rows in order; sets `ended` where an exception ends it."""
    rows = []
    with concurrent.futures.ThreadPoolExecutor(_VIDEOS_AT_ONCE) as pool:
        try:
            for row in pool.map(detect_one, videos):
                rows.append(row)
                show_row(row)
        except BaseException:  # Ctrl-C too: videos in work are abandoned
            ended.set()
            raise
    return rows


def _make_check(ended: threading.Event, check: Callable[[], None] | None) -> Callable[[], None]:
    """Returns what videos in work call: raises once `ended` is set, and what `check` raises."""

    def check_ended() -> None:
        if ended.is_set():
            raise concurrent.futures.CancelledError
        if check:
            check()

    return check_ended


def _make_progress(bar: tqdm, videos: int, check: Callable[[], None]) -> Progress:
    """Returns a callback that calls `check` and, for a single video, moves the bar along its current part.

    The bar of several videos counts videos.
    """

    def progress(part: str, done: float, total: float) -> None:
        check()
        if videos == 1 and not bar.disable:
            show_part(bar, part, done, total)

    return progress


def show_part(bar: tqdm, part: str, done: float, total: float) -> None:
    """Shows a part of a video's analysis on a bar, with the time left; starts anew with each part."""
    title, bar.unit = _PARTS[part]
    if bar.desc != f"{title}: ":
        bar.set_description(title, refresh=False)
        bar.reset()
    bar.total = max(total, done) or None
    bar.update(round(done, 1) - bar.n)


def _detect_video(
    model: Predictor,
    path: Path,
    output: Path,
    sound: Path | None,
    settings: DetectionSettings,
    predict: Predict,
    progress: Progress,
) -> VideoRow:
    try:
        checksums = hash_inputs(path, sound)
        folder = output / make_folder_name(path, checksums["video"])
        before = _read_earlier_result(folder, lambda: compute_fingerprint(checksums, model, settings))
        if before is not None:
            return _make_row(path, folder, before, again=True)
        detection = detect_video(
            model, path, sound=sound, settings=settings, predict=predict, progress=progress
        )
    except ClipError as error:
        return VideoRow(path, None, None, None, None, 0, None, str(error))
    from lipfd_jax.detection.report import write_page  # late, as it imports the libraries that draw pages

    folder.mkdir(parents=True, exist_ok=True)
    files.remove_leftovers(folder)
    write_page(folder / PAGE, detection, model, path)
    values = detection.result.to_json()
    files.write_json(folder / RESULT, values)  # last: where it exists, the report is complete
    return _make_row(path, folder, values)


def make_folder_name(path: Path, checksum: str) -> str:
    """Makes the name of a result's folder: the file's name in harmless letters, and part of its checksum."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.name).strip("._")[:80]
    return f"{name or 'video'}-{checksum[:8]}"


def _read_earlier_result(folder: Path, fingerprint: Callable[[], str]) -> dict | None:
    """Reads an earlier result.json of the same file, checkpoint and settings; None if there is none."""
    path = folder / RESULT
    if not path.exists() or not (folder / PAGE).exists():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError:
        return None
    same = (
        isinstance(values, dict)
        and values.get("schema") == SCHEMA
        and values.get("identity") == fingerprint()
    )
    return values if same else None


def _make_row(path: Path, folder: Path, values: dict, *, again: bool = False) -> VideoRow:
    evidence = values["evidence"]
    return VideoRow(
        path,
        values["outcome"],
        evidence["score"],
        evidence["log10_likelihood_ratio"],
        evidence["probability"],
        len(values["faces"]),
        folder,
        again=again,
    )


def _write_table(path: Path, rows: Sequence[VideoRow]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        metrics = (row.score, row.log10_likelihood_ratio, row.probability, row.faces)
        result = row.folder and row.folder / RESULT
        writer.writerow([row.path, row.outcome or "error", *metrics, row.error, result or ""])
    files.write_text(path, text.getvalue())
