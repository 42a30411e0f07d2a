"""The page of a detection: stretches with stills and clips, effects of warnings, long lists summarised."""

import dataclasses
import re

import jsonschema
import pytest

from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.quality_warnings import make_caution
from lipfd_jax.detection.report import write_page
from lipfd_jax.detection.result import load_schema, make_gap
from lipfd_jax.detection.texts import DRAWN_PEOPLE, UNCALIBRATED, WARNINGS
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig
from tests.checkpoints.test_calibration import PLATT


@pytest.fixture(scope="module")
def video(film, grainy, speech, tmp_path_factory):
    """Real to 3 s, forged (bright) to 6 s, real to 9 s."""
    pictures = grainy(60, 75) + grainy(240, 75) + grainy(60, 75)
    return film(
        tmp_path_factory.mktemp("report") / "a b.mp4", pictures, sound=speech[: 9 * 22050], rate=22050
    )


@pytest.fixture
def detection(video, model, one_face):
    return detect_video(model, video)


@pytest.fixture
def suspected(detection):
    """The face with the suspicious stretch: each brightness is a shot of its own."""
    (face,) = [face for face in detection.result.faces if face.suspicions]
    return face


@pytest.fixture
def page(detection, model, video, tmp_path):
    """page(field=value...): the text of the page of a result in which those fields are replaced."""

    def write(**changed):
        result = dataclasses.replace(detection.result, **changed)
        write_page(tmp_path / "report.html", dataclasses.replace(detection, result=result), model, video)
        return (tmp_path / "report.html").read_text()

    return write


def test_a_stretch_has_its_times_a_still_of_its_peak_and_its_piece_of_the_video(page, suspected, video):
    (stretch,) = suspected.suspicions
    text = page()
    card = text[text.index('class="stretches"') :]
    card = card[: card.index("</ul>")]
    assert card.count("<li>") == 1
    assert 'src="data:image/jpeg;base64,' in card
    assert f"#t={stretch.start},{stretch.end}" in card
    assert f'<source src="{video.name.replace(" ", "%20")}#t={stretch.start},{stretch.end}">' in card
    assert f'data-play="{stretch.start},{stretch.end}"' in card
    assert f'data-time="{stretch.peak_time}"' in card
    assert "data:video" not in text
    assert stretch.start <= stretch.peak_time <= stretch.end
    assert stretch.peak_score == max(window.score for window in suspected.windows)


def test_stretches_beyond_a_dozen_are_a_table(page, suspected):
    (stretch,) = suspected.suspicions
    many = tuple(
        dataclasses.replace(stretch, start=k / 2, end=k / 2 + 0.4, peak_score=k / 40) for k in range(30)
    )
    text = page(faces=(dataclasses.replace(suspected, suspicions=many),))
    cards = text[text.index('class="stretches"') :]
    assert cards[: cards.index("</ul>")].count("<li>") == 12
    assert "18 more stretches, with lower scores" in text


def test_every_warning_says_what_it_may_have_done_to_the_score(page):
    text = page(cautions=tuple(make_caution(key, "7", "8") for key in WARNINGS))
    for words in WARNINGS.values():
        assert re.search(r"\bscores?\b", words.effect), words
        assert f'<span class="effect">{words.effect}</span>' in text
    listed = re.findall(r"<li( class=\"serious\")?><strong>", text)
    assert listed == sorted(listed, reverse=True)  # the serious ones first


def test_notes_are_shown_with_a_calibration_too(page):
    text = page(notes=("The left channel was taken: the score is of it alone.",))
    assert text.count("The left channel was taken") == 2  # above, and in the text to quote
    assert page(notes=(UNCALIBRATED,)).count("carries no calibration") == 2


def test_what_was_not_judged_is_grouped_by_reason(page):
    gaps = tuple(make_gap(k * 0.2, k * 0.2 + 0.1, ("silent", "profile")[k % 2]) for k in range(40))
    text = page(not_judged=gaps)
    table = text[text.index('class="gaps"') :]
    assert table[: table.index("</table>")].count("<tr>") == 3


def test_a_face_without_windows_says_why(page, suspected):
    silent = dataclasses.replace(suspected, number=5, start=0, end=9, windows=(), suspicions=())
    silent = dataclasses.replace(silent, not_judged=(make_gap(0, 9, "no_speech"),))
    text = page(faces=(suspected, silent))
    assert "Face 5, 0:00.0 to 0:09.0: no speech was heard" in text


def test_a_file_that_browsers_refuse_is_named(page, detection):
    assert "If it is there, this browser can't show it" in page()
    file = dataclasses.replace(detection.result.file, container="avi")
    assert "because of its container (AVI)" in page(file=file)


def test_every_verdict_of_a_checkpoint_of_drawn_people_says_so(video, model, one_face, tmp_path):
    assert DRAWN_PEOPLE not in detect_video(model, video).result.notes
    model.metadata = dataclasses.replace(model.metadata, synthetic=True)
    found = detect_video(model, video)
    assert found.result.notes == (UNCALIBRATED, DRAWN_PEOPLE)
    write_page(tmp_path / "report.html", found, model, video)
    assert DRAWN_PEOPLE in (tmp_path / "report.html").read_text()


PICTURES = ModelConfig("none", inputs=dataclasses.replace(PAPER, picture_size=0, regions=("face", "lip")))
CLAIM = re.compile("lips and (the )?(sound|speech)|the sound above, the five", re.IGNORECASE)


@pytest.fixture
def deaf(model, video, one_face):
    """The detection of a model that looks at pictures only, trained on described data."""
    model.metadata = dataclasses.replace(
        model.metadata, model=PICTURES, training_data="8 clips of 3 people", calibration=PLATT
    )
    return detect_video(model, video)


@pytest.mark.parametrize("outcome", ["strong", "moderate", "inconclusive", "none"])
def test_the_page_of_a_detector_without_hearing_claims_nothing_about_sound(
    deaf, model, video, tmp_path, outcome
):
    result = dataclasses.replace(deaf.result, outcome=outcome)
    write_page(tmp_path / "report.html", dataclasses.replace(deaf, result=result), model, video)
    text = (tmp_path / "report.html").read_text()
    assert not CLAIM.search(text)
    assert not CLAIM.search(" ".join(result.to_json()["words"].values()))
    assert "head " not in text[text.index("<figcaption>") :].split("</figcaption>")[0]


def test_the_page_names_error_rates_and_the_training_data(deaf, model, video, tmp_path):
    write_page(tmp_path / "report.html", deaf, model, video)
    text = (tmp_path / "report.html").read_text()
    assert f"real ones of {PLATT.sources_real} sources and forged ones of {PLATT.sources_fake}" in text
    assert "learned from 8 clips of 3 people" in text
    values = deaf.result.to_json()
    assert values["error_rates"]["sources_real"] == PLATT.sources_real
    assert values["checkpoint"]["training_data"] == "8 clips of 3 people"
    assert values["checkpoint"]["name"] == ""
    jsonschema.validate(values, load_schema())


def test_the_page_names_the_detector_that_ships(deaf, page):
    checkpoint = deaf.result.checkpoint | {"name": "lipfd:small"}
    text = page(checkpoint=checkpoint)
    assert text.count("lipfd:small") == 2  # among the facts, and in the text to quote


def test_only_suspicious_windows_get_a_map(detection, model, video, tmp_path, monkeypatch):
    mapped = []
    monkeypatch.setattr(model, "saliency", lambda composite: mapped.append(composite))
    write_page(tmp_path / "report.html", detection, model, video)
    scores = [images.window.score for images in detection.examples]
    assert 0 < len(mapped) == sum(score >= 0.5 for score in scores) < len(scores)
