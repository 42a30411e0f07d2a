"""Detects videos and folders of them: results on disk, a line for each, never the same work twice."""

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

from lipfd_jax.detection.batches import Batches
from lipfd_jax.detection.detect import Model, detect, identity_of, sums_of
from lipfd_jax.detection.detection_settings import Settings
from lipfd_jax.detection.result import SCHEMA
from lipfd_jax.detection.scoring import Report
from lipfd_jax.detection.texts import OUTCOMES, Outcome, number
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.storage import files
from lipfd_jax.storage.locks import lock_folder

RESULT, PAGE, TABLE = "result.json", "report.html", "results.csv"
EXIT_NONE, EXIT_ERROR, EXIT_EVIDENCE, EXIT_OPEN = 0, 1, 10, 11
_SIDE_BY_SIDE = 2  # videos: one is decoded while another is scored
_PARTS = {"looking": ("looking for faces", "s"), "scoring": ("scoring", "window")}  # of a bar: title, unit
_COLUMNS = ("file", "outcome", "score", "log10_likelihood_ratio", "probability", "faces", "error", "result")


@dataclass(frozen=True)
class Line:
    """What became of one video."""

    path: Path
    outcome: Outcome | None  # None: an error
    score: float | None
    log10_likelihood_ratio: float | None
    probability: float | None
    faces: int
    folder: Path | None  # of result.json and report.html
    error: str = ""
    again: bool = False  # it was judged before

    def text(self) -> str:
        """One line for the terminal."""
        name = escape_controls(str(self.path))
        if self.outcome is None:
            return f"error: {escape_controls(self.error)}"
        figures = [] if self.score is None else [f"score {number(self.score, 3)}"]
        if self.log10_likelihood_ratio is not None:
            figures.append(f"likelihood ratio {number(10**self.log10_likelihood_ratio)}")
        figures.append(f"{self.faces} face{'s' * (self.faces != 1)}")
        before = ", judged before" * self.again
        return f"{name}: {OUTCOMES[self.outcome].title} ({', '.join(figures)}{before})"


def detect_all(
    model: Model,
    videos: Sequence[Path],
    output: Path,
    *,
    sound: Path | None = None,
    settings: Settings | None = None,
    table: bool = False,
    say: Callable[[str], None] = print,
    check: Callable[[], None] | None = None,
) -> list[Line]:
    """Judges videos, two at a time; writes result.json and report.html of each below `output`.

    One that can't be judged is reported and counted, and costs the others nothing.

    Args:
      table: also write results.csv.
      say: takes the lines for the terminal.
      check: called while videos are read; what it raises ends the work.

    Raises:
      OSError: the output can't be written.
      InUse: another process writes to the same output.
    """
    settings = settings or Settings()
    output.mkdir(parents=True, exist_ok=True)
    batches, ended = Batches(model.predict, lambda: model.batch_size), threading.Event()

    def go_on() -> None:
        if ended.is_set():
            raise concurrent.futures.CancelledError
        if check:
            check()

    with lock_folder(output, "a detection"), tqdm(total=len(videos), unit="video", disable=None) as bar:

        def one(path: Path) -> Line:
            with batches.client() as predict:
                return _one(model, path, output, sound, settings, predict, _progress(bar, len(videos), go_on))

        lines = []
        with concurrent.futures.ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            try:
                for line in pool.map(one, videos):
                    lines.append(line)
                    tqdm.write(line.text()) if say is print else say(line.text())
                    if len(videos) > 1:
                        bar.update()
            except BaseException:  # Ctrl-C too: the videos in work are given up, not waited for
                ended.set()
                raise
    if table:
        _write_table(output / TABLE, lines)
    return lines


def exit_code(lines: Sequence[Line]) -> int:
    """1 after an error, else 10 where there is evidence, 11 inconclusive or not judged, 0 no evidence."""
    outcomes = {line.outcome for line in lines}
    if None in outcomes:
        return EXIT_ERROR
    if outcomes & {"strong", "moderate"}:
        return EXIT_EVIDENCE
    return EXIT_OPEN if outcomes & {"inconclusive", "not_judged"} else EXIT_NONE


def _progress(bar: tqdm, videos: int, go_on: Callable[[], None]) -> Report:
    """Returns a callback that calls `go_on` and, for a single video, moves the bar along its current part.

    The bar of several videos counts videos.
    """

    def report(part: str, done: float, total: float) -> None:
        go_on()
        if videos == 1 and not bar.disable:
            show_part(bar, part, done, total)

    return report


def show_part(bar: tqdm, part: str, done: float, total: float) -> None:
    """Shows a part of a video's analysis on a bar, with the time left; starts anew with each part."""
    title, bar.unit = _PARTS[part]
    if bar.desc != f"{title}: ":
        bar.set_description(title, refresh=False)
        bar.reset()
    bar.total = max(total, done) or None
    bar.update(round(done, 1) - bar.n)


def _one(model, path, output, sound, settings, predict, told) -> Line:  # noqa: ANN001
    try:
        sums = sums_of(path, sound)
        folder = output / folder_name(path, sums["video"])
        before = _judged_before(folder, lambda: identity_of(sums, model, settings))
        if before is not None:
            return _line(path, folder, before, again=True)
        done = detect(model, path, sound=sound, settings=settings, predict=predict, report=told)
    except ClipError as error:
        return Line(path, None, None, None, None, 0, None, str(error))
    from lipfd_jax.detection.report import write_page  # and with it what draws pages, once there are scores

    folder.mkdir(parents=True, exist_ok=True)
    write_page(folder / PAGE, done, model, path)
    values = done.result.to_json()
    files.write_json(folder / RESULT, values)  # last: where it stands, the report is whole
    return _line(path, folder, values)


def folder_name(path: Path, sha: str) -> str:
    """The folder of a video's result: its name, of harmless letters only, and the beginning of its sum."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.name).strip("._")[:80]
    return f"{name or 'video'}-{sha[:8]}"


def _judged_before(folder: Path, wanted: Callable[[], str]) -> dict | None:
    """The values of a result.json of the same file, checkpoint and settings."""
    path = folder / RESULT
    if not path.exists() or not (folder / PAGE).exists():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError:
        return None
    same = isinstance(values, dict) and values.get("schema") == SCHEMA and values.get("identity") == wanted()
    return values if same else None


def _line(path: Path, folder: Path, values: dict, *, again: bool = False) -> Line:
    found = values["evidence"]
    return Line(
        path,
        values["outcome"],
        found["score"],
        found["log10_likelihood_ratio"],
        found["probability"],
        len(values["faces"]),
        folder,
        again=again,
    )


def _write_table(path: Path, lines: Sequence[Line]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for line in lines:
        figures = (line.score, line.log10_likelihood_ratio, line.probability, line.faces)
        result = line.folder and line.folder / RESULT
        writer.writerow([line.path, line.outcome or "error", *figures, line.error, result or ""])
    files.write_text(path, text.getvalue())
