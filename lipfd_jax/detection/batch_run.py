"""Detection of many videos, two at a time: results on disk, and earlier ones reused."""

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lipfd_jax.detection.analysis import Progress
from lipfd_jax.detection.batches import SharedBatches
from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.provenance import compute_fingerprint, hash_inputs
from lipfd_jax.detection.result_folder import PAGE, RESULT, make_folder_name, read_earlier_result
from lipfd_jax.detection.run_model import EndOfRun, RunModel, end_run
from lipfd_jax.detection.video_rows import VideoRow, make_error_row, make_row, write_table
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.preprocessing.clip_task import attempt_task
from lipfd_jax.storage import files
from lipfd_jax.storage.error_log import append_traceback
from lipfd_jax.storage.locks import lock_folder

_VIDEOS_AT_ONCE = 2  # one is decoded while another is scored
_GRACE_SECONDS = 2.0  # that an interrupt gives the videos in work, which may be writing
_PARTS = {"looking": ("looking for faces", "s"), "scoring": ("scoring", "window")}  # title, unit


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
class _Run:
    """What the videos of one run share."""

    model: Predictor
    batches: SharedBatches
    output: Path
    settings: DetectionSettings
    progress: Progress

    def attempt_video(self, task: _VideoTask) -> VideoRow:
        """The row of one video, whatever it raises; raises for failures of the machine."""
        outcome = attempt_task(self._detect_video, task)
        if outcome.result is not None:
            return outcome.result
        if not outcome.traceback:
            return make_error_row(task.path, outcome.problem)
        log = append_traceback(self.output, escape_controls(str(task.path)), outcome.traceback)
        return make_error_row(task.path, f"{outcome.problem}; traceback in {log}")

    def _detect_video(self, task: _VideoTask) -> VideoRow:
        path, model, settings = task.path, self.model, self.settings
        with self.batches.client() as predict:
            checksums = hash_inputs(path, task.sound)
            folder = self.output / make_folder_name(path, checksums["video"])
            before = read_earlier_result(folder, lambda: compute_fingerprint(checksums, model, settings))
            if before is not None:
                return make_row(path, folder, before, again=True)
            detection = detect_video(
                model,
                path,
                sound=task.sound,
                checksums=checksums,
                settings=settings,
                predict=predict,
                progress=self.progress,
            )
            # Late, as it imports the libraries that draw pages.
            from lipfd_jax.detection.report import write_page

            folder.mkdir(parents=True, exist_ok=True)
            files.remove_leftovers(folder)
            write_page(folder / PAGE, detection, model, path)
            values = detection.result.to_json()
            files.write_json(folder / RESULT, values)  # last: where it exists, the report is complete
            return make_row(path, folder, values)


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
    rows = [make_error_row(Path(name), f"{name}: {reason}", name) for name, reason in refused]
    with lock_folder(output, "a detection"), tqdm(total=len(videos), unit="video", disable=None) as bar:
        progress = _make_progress(bar, len(videos), _make_check(ended, check))
        run = _Run(run_model, batches, output, settings, progress)

        def show_row(row: VideoRow) -> None:
            print_line(row.text())
            if len(videos) > 1:
                bar.update()

        for row in rows:
            print_line(row.text())
        try:
            rows += _collect_rows(run, [_VideoTask(path, sound) for path in videos], show_row, ended)
        except EndOfRun as end:
            raise end.cause from end.cause.__cause__
    if table:
        write_table(output, rows)
    return rows


def _collect_rows(
    run: _Run,
    tasks: Sequence[_VideoTask],
    show_row: Callable[[VideoRow], None],
    ended: threading.Event,
) -> list[VideoRow]:
    """Detects videos in threads and shows their rows in order; sets `ended` where an exception ends it.

    An interrupt (Ctrl-C) abandons the videos in work.
    """
    rows = []
    pool = concurrent.futures.ThreadPoolExecutor(_VIDEOS_AT_ONCE)
    coming = [pool.submit(run.attempt_video, task) for task in tasks]
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
