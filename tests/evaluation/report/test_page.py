"""The report: complete, self-contained, nothing from data unescaped, and written in every odd case."""

import base64
import dataclasses
import hashlib
import html.parser
import re

import numpy as np
import pytest
from markupsafe import Markup

from lipfd_jax.evaluation.metrics.pooling import Decision
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores, read_scores
from lipfd_jax.evaluation.metrics.summary import summarise_scores
from lipfd_jax.evaluation.report.examples import choose_examples
from lipfd_jax.evaluation.report.page import write_report
from lipfd_jax.pages.rendering import Section
from lipfd_jax.pages.windows import ExampleWindow

_VOID = {"meta", "br", "img"}


class _Page(html.parser.HTMLParser):
    """Checks that tags close in order, and gathers names, attributes and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts.append(data)
        elif "style" not in self.open:
            self.text += data


def _random(count: int, videos: int, name: str = "v", generator: str = "") -> Scores:
    random = np.random.default_rng(0)
    rows = []
    for i in range(count):
        label = i % videos % 2
        score = float(np.clip(random.normal(0.3 + 0.4 * label, 0.25), 0, 1))
        video = f"{('0_real', '1_fake')[label]}/{name}{i % videos}"
        path = f"{video}_{i // videos}.png"
        options = {"generator": generator if label else "", "window": i // videos}
        rows.append(ScoreRow(path=path, label=label, score=score, video=video, source=video, **options))
    return Scores.from_rows(rows)


def _picture(path: str, label: int, score: float, **options) -> ExampleWindow:
    image = np.random.default_rng(1).integers(0, 255, (40, 100, 3), np.uint8)
    return ExampleWindow(image=image, path=path, label=label, score=score, **options)


def _write(folder, scores: Scores, **options) -> tuple[str, _Page]:
    file = write_report(scores, folder / "new" / "report.html", **{"title": "Title", "notes": {}, **options})
    text = file.read_text(encoding="utf-8")
    return text, _Page(text)


def test_published_scores(tmp_path, golden):
    _, page = _write(
        tmp_path,
        read_scores(golden / "official_val_scores.csv"),
        title="Released weights",
        notes={"Input convention": "released", "Windows": "released"},
    )
    for part in ("96.18\u00a0%", "0.9872", "4.54\u00a0%", "52 of 1,719", "0.92173", "Input convention"):
        assert part in page.text
    assert "27 of the fakes were missed and 5 of the real ones were called fake" in page.text
    assert "1_fake/294" in page.text
    assert "By generator" not in page.text
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]


def test_loads_nothing_from_anywhere(tmp_path):
    text, page = _write(tmp_path, _random(60, 12), example_windows=[_picture("1_fake/v1_0.png", 1, 0.9)])
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", text)
    assert not {"link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert attributes.get("src", "data:").startswith("data:"), tag
        assert attributes.get("xlink:href", "#").startswith("#"), tag
        assert not [name for name in attributes if name.startswith("on")]
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    assert not re.search(r"fetch|XMLHttp|import|eval|innerHTML|WebSocket", page.scripts[0])


def test_only_our_own_script_may_run(tmp_path):
    _, page = _write(tmp_path, _random(60, 12))
    (policy,) = [a["content"] for tag, a in page.tags if "Content-Security-Policy" in a.values()]
    sums = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in page.scripts]
    assert policy.split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        f"script-src 'sha256-{sums[0]}'",
    ]


def test_names_from_data_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>\"'&$title"
    scores = _random(8, 4, name=evil, generator=evil)
    pictures = [_picture(scores.path[0], 0, 0.9)]
    text, page = _write(tmp_path, scores, title=evil, notes={evil: evil}, example_windows=pictures)
    assert [tag for tag, _ in page.tags].count("script") == text.count("<script") == 1
    assert page.text.count(evil) >= 7


def test_same_scores_give_the_same_file(tmp_path):
    scores = _random(60, 12)
    assert _write(tmp_path / "a", scores)[0] == _write(tmp_path / "b", scores)[0]


def test_generators_sections_and_long_lists(tmp_path):
    scores = _random(2400, 1200, generator="Wav2Lip")
    sections = [Section("Calibration", Markup("<p>later</p>")), Section("Plain", "<p>text</p>")]
    _, page = _write(tmp_path, scores, sections=sections)
    assert page.text.count("<p>") == 1  # plain text stands as it is, Markup is HTML
    assert "Wav2Lip" in page.text
    assert "985 more" in page.text
    assert "The 1,000 worst of 1,200" in page.text
    assert page.text.index("Calibration") < page.text.index("Videos, worst")


@pytest.mark.parametrize(
    ("keep", "reason"), [(0, "all 6 are real"), (1, "all 6 are fake"), (2, "nothing was scored")]
)
def test_one_class_or_nothing(tmp_path, keep, reason):
    scores = _random(36, 12)
    _, page = _write(tmp_path, scores.select(scores.label == keep))
    assert reason in page.text


def test_examples_are_grouped_and_sorted(tmp_path):
    pictures = [
        _picture("1_fake/miss_0.png", 1, 0.1),
        _picture("1_fake/sure_0.png", 1, 0.99),
        _picture("1_fake/border_0.png", 1, 0.5),
        _picture("0_real/right_0.png", 0, 0.2),
        _picture("0_real/alarm_0.png", 0, 0.8, region_weights=np.full((5, 3), [0.25, 0.15, 0.6])),
    ]
    _, page = _write(tmp_path, _random(20, 4), example_windows=pictures)
    order = ["sure", "border", "right", "miss", "alarm"]
    assert sorted(order, key=lambda name: page.text.index(f"/{name}_0.png: ")) == order
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 5
    caption = page.text[page.text.index("alarm_0.png: ") :]
    assert caption[: caption.index("As the released")].count("0.60") == 6


def test_saliency_lies_over_the_picture(tmp_path):
    heat = np.zeros((50, 125))
    heat[:25] = 3.0  # three quarters of it on the sound
    heat[25:] = 1.0
    picture = _picture("1_fake/sure_0.png", 1, 0.99, saliency=heat)
    _, page = _write(tmp_path, _random(20, 4), example_windows=[picture])
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 2
    assert "75\u00a0% of the saliency is on the sound" in page.text
    assert "gradient" in page.text


def test_the_threshold_shows_everywhere(tmp_path):
    scores = _random(60, 12)
    text, page = _write(tmp_path, scores, summary=summarise_scores(scores, Decision(threshold=0.73)))
    for part in (
        "score of 0.73 or more",
        "real ones called fake, at threshold 0.73",
        "dashed line is the threshold 0.73",
    ):
        assert part in page.text
    assert len(re.findall(r"threshold 0\.5\b(?!\d)", page.text)) == 1  # the released script's own
    assert text.count('style="left:73.0%"') >= 12


@pytest.mark.parametrize(
    "options",
    [
        {"image": np.zeros((4, 4), np.uint8)},
        {"image": np.zeros((4, 4, 3))},
        {"region_weights": np.ones(3)},
        {"saliency": np.ones(3)},
    ],
)
def test_wrong_pictures_are_named_and_nothing_is_written(tmp_path, options):
    picture = dataclasses.replace(_picture("1_fake/odd_0.png", 1, 0.9), **options)
    with pytest.raises(ValueError, match=r"1_fake/odd_0\.png"):
        _write(tmp_path, _random(20, 4), example_windows=[picture])
    assert not (tmp_path / "new" / "report.html").exists()


def test_example_windows():
    names = [("0_real/a", 0, 0.0), ("0_real/a", 1, 0.1), ("0_real/b", 0, 0.2), ("0_real/c", 0, 0.9)]
    names += [("1_fake/d", 0, 0.6), ("1_fake/d", 1, 0.7)]
    rows = [
        ScoreRow(
            path=f"{video}_{window}.png",
            label=int(video[0]),
            score=score,
            video=video,
            source=video,
            window=window,
        )
        for video, window, score in names
    ]
    scores = Scores.from_rows(rows)
    # Fakes found, real ones passed (another video before a second window), no misses, one false alarm.
    assert choose_examples(scores, count=2).tolist() == [5, 4, 0, 2, 3]
    assert choose_examples(scores, count=3).tolist() == [5, 4, 0, 2, 1, 3]
    assert choose_examples(Scores.from_rows([])).tolist() == []
