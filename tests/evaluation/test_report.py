"""The report: complete, self-contained, nothing from data unescaped, and written in every odd case."""

import dataclasses
import html.parser
import re

import numpy as np
import pytest

from lipfd_jax.evaluation.examples import ReportPicture, example_windows
from lipfd_jax.evaluation.page import Section
from lipfd_jax.evaluation.report import write_report
from lipfd_jax.evaluation.scores import ScoreRow, Scores, read_scores

_VOID = {"meta", "br", "img"}


class _Page(html.parser.HTMLParser):
    """Checks that tags close in order, and gathers names, attributes and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
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
        if "style" not in self.open:
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


def _picture(path: str, label: int, score: float, **options) -> ReportPicture:
    image = np.random.default_rng(1).integers(0, 255, (40, 100, 3), np.uint8)
    return ReportPicture(image=image, path=path, label=label, score=score, **options)


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
    text, page = _write(tmp_path, _random(60, 12), pictures=[_picture("1_fake/v1_0.png", 1, 0.9)])
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", text)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert attributes.get("src", "data:").startswith("data:"), tag
        assert attributes.get("xlink:href", "#").startswith("#"), tag
        assert not [name for name in attributes if name.startswith("on")]
    assert "default-src 'none'" in text


def test_names_from_data_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>\"'&$title"
    scores = _random(8, 4, name=evil, generator=evil)
    pictures = [_picture(scores.path[0], 0, 0.9)]
    text, page = _write(tmp_path, scores, title=evil, notes={evil: evil}, pictures=pictures)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script" not in text
    assert page.text.count(evil) >= 7


def test_same_scores_give_the_same_file(tmp_path):
    scores = _random(60, 12)
    assert _write(tmp_path / "a", scores)[0] == _write(tmp_path / "b", scores)[0]


def test_generators_sections_and_long_lists(tmp_path):
    scores = _random(2400, 1200, generator="Wav2Lip")
    section = Section("Calibration", "<p>later</p>")
    _, page = _write(tmp_path, scores, sections=[section])
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
    _, page = _write(tmp_path, _random(20, 4), pictures=pictures)
    order = ["sure", "border", "right", "miss", "alarm"]
    assert sorted(order, key=lambda name: page.text.index(f"/{name}_0.png: ")) == order
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 5
    assert page.text.count("0.60") == 6


@pytest.mark.parametrize(
    "options",
    [{"image": np.zeros((4, 4), np.uint8)}, {"image": np.zeros((4, 4, 3))}, {"region_weights": np.ones(3)}],
)
def test_wrong_pictures_are_named_and_nothing_is_written(tmp_path, options):
    picture = dataclasses.replace(_picture("1_fake/odd_0.png", 1, 0.9), **options)
    with pytest.raises(ValueError, match=r"1_fake/odd_0\.png"):
        _write(tmp_path, _random(20, 4), pictures=[picture])
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
    assert example_windows(scores, count=2).tolist() == [5, 4, 0, 2, 3]
    assert example_windows(scores, count=3).tolist() == [5, 4, 0, 2, 1, 3]
    assert example_windows(Scores.from_rows([])).tolist() == []
