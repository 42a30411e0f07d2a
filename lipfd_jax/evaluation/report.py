"""The report: one HTML file, with pictures inside, that explains its figures to people outside the field."""

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lipfd_jax.evaluation.examples import ReportPicture, examples_html
from lipfd_jax.evaluation.metrics import (
    THRESHOLD,
    Metrics,
    VideoScores,
    generator_scores,
    released_figures,
    video_metrics,
    video_scores,
    window_metrics,
)
from lipfd_jax.evaluation.page import Section, page, table_html
from lipfd_jax.evaluation.plots import histogram_svg, roc_svg
from lipfd_jax.evaluation.scores import Scores
from lipfd_jax.evaluation.table import UNKNOWN_GENERATOR, recall

_LISTED_OPEN, _LISTED = 15, 1000  # videos listed at once, and behind a fold; more stand in scores.csv alone

_MEANINGS = (
    ("acc", "ACC, accuracy", f"Share judged rightly when a score of {THRESHOLD} or more is called fake."),
    (
        "auc",
        "AUC",
        "Chance that a fake picked at random scores higher than a real one picked at random: "
        "0.5 is guessing, 1 is perfect. Needs no threshold.",
    ),
    (
        "ap",
        "AP, average precision",
        "Going down the list from the highest score: how large a share of what has been met is fake, on "
        "average. 1 is perfect; guessing gives the share of fakes in the data.",
    ),
    (
        "eer",
        "EER, equal error rate",
        "Errors at the threshold where false alarms and misses are equally frequent. Lower is better, "
        "50 % is guessing.",
    ),
    ("fpr", "FPR, false alarms", f"Share of the real ones called fake, at threshold {THRESHOLD}."),
    ("fnr", "FNR, misses", f"Share of the fakes called real, at threshold {THRESHOLD}."),
    (
        "best_acc",
        "Best ACC in hindsight",
        "Accuracy had the threshold been chosen knowing the answers: what another threshold could bring "
        "at most.",
    ),
)


def write_report(
    scores: Scores,
    output: str | os.PathLike,
    *,
    title: str,
    notes: Mapping[str, str],
    pictures: Sequence[ReportPicture] = (),
    sections: Sequence[Section] = (),
) -> Path:
    """Writes the report of `scores` as one HTML file, whole or not at all, and returns its path.

    Args:
      scores: of all windows; one class only, or none, gives a report that says what is missing.
      output: the HTML file; folders on the way are made.
      title: heading of the page.
      notes: what the reader has to know, in this order: input convention, windows mode, checkpoint, ...
      pictures: examples, grouped by truth and verdict (`example_windows` names the ones worth showing).
      sections: further ones, which stand before the list of videos.
    """
    videos = video_scores(scores)
    middle = [_figures(scores), _plots(scores, videos), _generators(scores), *sections]
    everything = [*middle, _videos(videos), _examples(pictures), _released(scores)]
    text = page(
        title=title, lead=_lead(scores, notes), sections=[part for part in everything if part and part.body]
    )
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return output


def _lead(scores: Scores, notes: Mapping[str, str]) -> str:
    metrics = video_metrics(scores)
    real = metrics.n - metrics.positives
    parts = []
    if metrics.n:
        parts.append(
            f'<p class="lead">Of {metrics.n:,} videos ({real:,} real, {metrics.positives:,} fake) '
            f"{_percent(metrics.acc)} were judged rightly: {metrics.fn:,} of the fakes "
            f"{'was' if metrics.fn == 1 else 'were'} missed and {metrics.fp:,} of the real ones "
            f"{'was' if metrics.fp == 1 else 'were'} called fake.</p>"
        )
        parts.append(
            '<p class="soft">The detector looks at windows of a few frames with their sound, '
            f"{len(scores):,} in all, and gives each a score between 0 (real) and 1 (fake). "
            "A video's score is the mean of its windows.</p>"
        )
    else:
        parts.append('<p class="lead">Nothing was scored.</p>')
    rows = "".join(f"<dt>{_escape(key)}</dt><dd>{_escape(value)}</dd>" for key, value in notes.items())
    return "\n".join([*parts, f"<dl>{rows}</dl>" if rows else ""])


def _figures(scores: Scores) -> Section:
    levels = (video_metrics(scores), window_metrics(scores))
    rows = []
    for field, name, meaning in _MEANINGS:
        rows.append([f"{name}<small>{meaning}</small>", *(_figure(metrics, field) for metrics in levels)])
    reasons = {metrics.missing for metrics in levels if metrics.missing}
    notes = "".join(
        f'<p class="soft">Figures are missing: {_escape(reason)}.</p>' for reason in sorted(reasons)
    )
    return Section("How well it works", table_html(["", "videos", "windows"], rows, kind="figures") + notes)


def _figure(metrics: Metrics, field: str) -> str:
    value = getattr(metrics, field)
    if value is None:
        return "\u2013"
    if field in ("auc", "ap"):
        return f"{value:.4f}"
    real = metrics.n - metrics.positives
    details = {
        "acc": f"{metrics.tp + metrics.tn:,} of {metrics.n:,}",
        "fpr": f"{metrics.fp:,} of {real:,}",
        "fnr": f"{metrics.fn:,} of {metrics.positives:,}",
        "eer": None if metrics.eer_threshold is None else f"at {metrics.eer_threshold:.3f}",
        "best_acc": None if metrics.best_threshold is None else f"at {metrics.best_threshold:.3f}",
    }
    return _percent(value) + (f"<small>{details[field]}</small>" if details[field] else "")


def _plots(scores: Scores, videos: VideoScores) -> Section | None:
    if not len(scores):
        return None
    figures = []
    levels = {"videos": (videos.label, videos.score), "windows": (scores.label, scores.score)}
    both = {name: columns for name, columns in levels.items() if len(np.unique(columns[0])) == 2}
    if both:
        figures.append(
            f"<figure>{roc_svg(both)}<figcaption>Every threshold at once (ROC curve): a lower threshold "
            "finds more fakes and raises more false alarms. The nearer the curve comes to the upper left "
            "corner, the better; the area below it is the AUC.</figcaption></figure>"
        )
    figures.append(
        f"<figure>{histogram_svg(scores.label, scores.score)}<figcaption>Where the windows' scores "
        "lie. The less the two shapes overlap, the better: fake windows left of the dotted line were missed, "
        "real ones right of it were false alarms. Heights are drawn compressed, so that rare scores "
        "can be seen.</figcaption></figure>"
    )
    return Section("Curves", f'<div class="plots">{"".join(figures)}</div>')


def _generators(scores: Scores) -> Section | None:
    parts = generator_scores(scores)
    if not parts:
        return None
    rows = []
    for name, part in parts.items():
        videos, windows = video_metrics(part), window_metrics(part)
        found = _percent(recall(videos))
        figures = [f"{videos.positives:,}", found, *(_decimal(metrics.auc) for metrics in (videos, windows))]
        rows.append([_escape(name or UNKNOWN_GENERATOR), *figures])
    text = (
        "<p>Fakes made by different generators are not equally hard. Found: share of the generator's videos "
        "called fake. AUC: the generator's fakes against all real ones.</p>"
    )
    head = ["generator", "fake videos", "found", "AUC, videos", "AUC, windows"]
    return Section("By generator", text + table_html(head, rows))


def _examples(pictures: Sequence[ReportPicture]) -> Section | None:
    if not pictures:
        return None
    text = (
        "<p>What the detector saw. Above, the sound as a spectrogram: time runs to the right, low tones "
        "are on top, bright is loud. Below, the five frames that go with it. A fake gives itself away where "
        "mouth and sound don't fit."
    )
    if any(picture.region_weights is not None for picture in pictures):
        text += " The weights tell which cut of each frame counted how much: head, face or lips."
    return Section("Examples", f"{text}</p>{examples_html(pictures)}")


def _videos(videos: VideoScores) -> Section | None:
    if not len(videos.video):
        return None
    error = np.abs(videos.score - videos.label)
    order = np.argsort(-error, kind="stable")[:_LISTED]
    rows = [_video(videos, place) for place in order]
    head = ["video", "truth", "scores, 0 to 1", "mean", "called"]
    text = (
        "<p>The mark is the mean, the bar reaches from the lowest to the highest score of the video's "
        f"windows, the dashed line is the threshold {THRESHOLD}.</p>"
    )
    body = text + table_html(head, rows[:_LISTED_OPEN], kind="videos")
    if rows[_LISTED_OPEN:]:
        folded = table_html(head, rows[_LISTED_OPEN:], kind="videos")
        body += f"<details><summary>{len(rows) - _LISTED_OPEN:,} more</summary>{folded}</details>"
    if len(videos.video) > _LISTED:
        body += f'<p class="soft">The {_LISTED:,} worst of {len(videos.video):,} are listed.</p>'
    return Section("Videos, worst mistakes first", body)


def _video(videos: VideoScores, place: int) -> list[str]:
    truth = ("real", "fake")[videos.label[place]]
    called = ("real", "fake")[int(videos.score[place] >= THRESHOLD)]
    low, high = 100 * videos.lowest[place], 100 * videos.highest[place]
    strip = (
        f'<span class="strip {truth}"><i style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        f'<b style="left:{100 * videos.score[place]:.1f}%"></b></span>'
    )
    name, generator = _escape(videos.video[place]), _escape(videos.generator[place])
    return [
        f"{name} <small>{generator}</small>" if generator else name,
        f'<span class="{truth}">{truth}</span>',
        strip,
        f"{videos.score[place]:.3f}",
        called if called == truth else f'<span class="wrong">{called}, wrong</span>',
    ]


def _released(scores: Scores) -> Section:
    figures = released_figures(scores)
    rows = [
        ["acc<small>As above.</small>", _decimal(figures.acc, 5)],
        [
            "ap<small>Computed on verdicts of 0 or 1, so lower than the AP above.</small>",
            _decimal(figures.ap, 5),
        ],
        ["fpr<small>In truth the misses (FNR above): the two are swapped.</small>", _decimal(figures.fpr, 5)],
        ["fnr<small>In truth the false alarms (FPR above).</small>", _decimal(figures.fnr, 5)],
    ]
    text = "<p>For comparison with numbers printed by the released code's validation, on windows.</p>"
    return Section(
        "As the released script prints them", text + table_html(["", "windows"], rows, kind="figures")
    )


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{100 * value:.2f}\u00a0%"


def _decimal(value: float | None, digits: int = 4) -> str:
    return "\u2013" if value is None else f"{value:.{digits}f}"


def _escape(text: object) -> str:
    return html.escape(str(text))
