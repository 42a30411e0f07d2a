"""Detection of many videos: results on disk, a line for each, and earlier results reused."""

import concurrent.futures
import csv
import hashlib
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
from lipfd_jax.detection.run_model import EndOfRun, RunModel, end_run
from lipfd_jax.detection.texts import OUTCOMES, Outcome, format_number
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.names import encode_name, escape_bytes, escape_controls, escape_path
from lipfd_jax.preprocessing.clip_task import attempt_task
from lipfd_jax.storage import files
from lipfd_jax.storage.error_log import append_traceback
from lipfd_jax.storage.locks import lock_folder

RESULT, PAGE, TABLE, LEFT_OUT = "result.json", "report.html", "results.csv", "left_out.csv"
EXIT_NONE, EXIT_ERROR, EXIT_EVIDENCE, EXIT_OPEN = 0, 1, 10, 11
_VIDEOS_AT_ONCE = 2  # one is decoded while another is scored
_GRACE_SECONDS = 2.0  # that an interrupt gives the videos in work, which may be writing
_PARTS = {"looking": ("looking for faces", "s"), "scoring": ("scoring", "window")}  # title, unit
_COLUMNS = ("file", "outcome", "score", "log10_likelihood_ratio", "probability", "faces", "error", "result")


@dataclass(frozen=True)
class _VideoTask:
    """One video, and a separate file with its sound."""

    path: Path
    sound: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read for it."""
        return (self.path,) if self.sound is None else (self.path, self.sound)


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
    given: str = ""  # the name that was given, where it is no path

    def text(self) -> str:
        """The row as a line for the terminal."""
        name = escape_path(self.path)
        if self.outcome is None:
            return f"error: {escape_path(self.error)}"
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
    refused: Sequence[tuple[str, str]] = (),
    print_line: Callable[[str], None] = tqdm.write,
    check: Callable[[], None] | None = None,
) -> list[VideoRow]:
    """Detects videos, two at a time; writes result.json and report.html of each below `output`.

    A video that can't be read, or fails in any other way, gets a row with its error; the others continue.
    Tracebacks of unexpected errors are appended to errors.log.

    Args:
      table: also write results.csv.
      refused: names that are no videos, with the reason; they get rows too, before the others.
      print_line: called with each row as a line for the terminal.
      check: called while videos are read; an exception it raises ends the work.

    Raises:
      OSError: the output can't be written.
      InUseError: another process writes to the same output.
    """
    settings = settings or DetectionSettings()
    output.mkdir(parents=True, exist_ok=True)
    run_model, ended = RunModel(model), threading.Event()
    batches = SharedBatches(run_model.predict, lambda: run_model.batch_size)
    rows = [_make_error_row(Path(name), f"{name}: {reason}", name) for name, reason in refused]
    with lock_folder(output, "a detection"), tqdm(total=len(videos), unit="video", disable=None) as bar:
        progress = _make_progress(bar, len(videos), _make_check(ended, check))

        def detect_one(path: Path) -> VideoRow:
            with batches.client() as predict:
                task = _VideoTask(path, sound)
                return _attempt_video(run_model, task, output, settings, predict, progress)

        def show_row(row: VideoRow) -> None:
            print_line(row.text())
            if len(videos) > 1:
                bar.update()

        for row in rows:
            print_line(row.text())
        try:
            rows += _collect_rows(detect_one, videos, show_row, ended)
        except EndOfRun as end:
            raise end.cause from end.cause.__cause__
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
    """Detects videos in threads and shows their rows in order; sets `ended` where an exception ends it.

    An interrupt (Ctrl-C) abandons the videos in work.
    """
    rows = []
    pool = concurrent.futures.ThreadPoolExecutor(_VIDEOS_AT_ONCE)
    coming = [pool.submit(detect_one, path) for path in videos]
    try:
        for future in coming:
            rows.append(future.result())
            show_row(rows[-1])
    except BaseException as error:
        ended.set()
        pool.shutdown(wait=not isinstance(error, KeyboardInterrupt), cancel_futures=True)
        concurrent.futures.wait([future for future in coming if future.running()], _GRACE_SECONDS)
        raise
    pool.shutdown()
    return rows


def _make_check(ended: threading.Event, check: Callable[[], None] | None) -> Callable[[], None]:
    """Returns what videos in work call: ends the run once `ended` is set, and with what `check` raises."""

    def check_ended() -> None:
        if ended.is_set():
            raise concurrent.futures.CancelledError
        if check:
            check()

    return end_run(check_ended)


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


def _attempt_video(
    model: Predictor,
    task: _VideoTask,
    output: Path,
    settings: DetectionSettings,
    predict: Predict,
    progress: Progress,
) -> VideoRow:
    """The row of one video, whatever it raises; raises for failures of the machine."""

    def detect(task: _VideoTask) -> VideoRow:
        return _detect_video(model, task, output, settings, predict, progress)

    outcome = attempt_task(detect, task)
    if outcome.result is not None:
        return outcome.result
    if not outcome.traceback:
        return _make_error_row(task.path, outcome.problem)
    log = append_traceback(output, escape_controls(str(task.path)), outcome.traceback)
    return _make_error_row(task.path, f"{outcome.problem}; traceback in {log}")


def _detect_video(
    model: Predictor,
    task: _VideoTask,
    output: Path,
    settings: DetectionSettings,
    predict: Predict,
    progress: Progress,
) -> VideoRow:
    path, sound = task.path, task.sound
    checksums = hash_inputs(path, sound)
    folder = output / make_folder_name(path, checksums["video"])
    before = _read_earlier_result(folder, lambda: compute_fingerprint(checksums, model, settings))
    if before is not None:
        return _make_row(path, folder, before, again=True)
    detection = detect_video(model, path, sound=sound, settings=settings, predict=predict, progress=progress)
    from lipfd_jax.detection.report import write_page  # late, as it imports the libraries that draw pages

    folder.mkdir(parents=True, exist_ok=True)
    files.remove_leftovers(folder)
    write_page(folder / PAGE, detection, model, path)
    values = detection.result.to_json()
    files.write_json(folder / RESULT, values)  # last: where it exists, the report is complete
    return _make_row(path, folder, values)


def make_folder_name(path: Path, checksum: str) -> str:
    """Makes the name of a result's folder: the file's name in harmless letters, and part of its checksum.

    Names in other letters than ASCII's, which lose them, also get part of a checksum of their own.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.name).strip("._")[:80]
    own = "" if path.name.isascii() else f"-{hashlib.sha256(encode_name(path.name)).hexdigest()[:4]}"
    return f"{name or 'video'}-{checksum[:8]}{own}"


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


def _make_error_row(path: Path, error: str, given: str = "") -> VideoRow:
    return VideoRow(path, None, None, None, None, 0, None, error, given=given)


def write_left_out(output: Path, left_out: Sequence[tuple[Path, str]]) -> None:
    """Writes left_out.csv: what the given folders hold besides videos, with the reason."""
    _write_csv(output / LEFT_OUT, [("file", "reason"), *left_out])


def _write_table(path: Path, rows: Sequence[VideoRow]) -> None:
    lines: list[Sequence[object]] = [_COLUMNS]
    for row in rows:
        metrics = (row.score, row.log10_likelihood_ratio, row.probability, row.faces)
        result = row.folder and row.folder / RESULT
        lines.append([row.given or row.path, row.outcome or "error", *metrics, row.error, result or ""])
    _write_csv(path, lines)


def _write_csv(path: Path, lines: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    files.write_text(path, escape_bytes(text.getvalue()))
