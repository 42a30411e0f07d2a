"""All texts of results: outcomes, reasons, warnings. No other file words a verdict."""

from typing import Literal, NamedTuple

Outcome = Literal["strong", "moderate", "inconclusive", "none", "not_judged"]


class OutcomeText(NamedTuple):
    """Texts of an outcome."""

    title: str
    meaning: str
    caveat: str  # shown with the outcome everywhere


_PROOF = "A score is a hint about the lips and the sound, not proof of who made the video or why."
OUTCOMES: dict[Outcome, OutcomeText] = {
    "strong": OutcomeText(
        "Strong evidence of manipulation",
        "Lips and sound look as they do in known lip-sync forgeries, and rarely in real videos.",
        _PROOF,
    ),
    "moderate": OutcomeText(
        "Moderate evidence of manipulation",
        "Lips and sound look more as they do in known lip-sync forgeries than as in real videos.",
        _PROOF + " Real videos reach such scores at times: look for other evidence.",
    ),
    "inconclusive": OutcomeText(
        "Inconclusive",
        "The scores, or the video itself, do not allow a conclusion in either direction.",
        "This is no sign that the video is real, and none that it is forged.",
    ),
    "none": OutcomeText(
        "No evidence found",
        "Lips and sound look more as they do in real videos than as in known lip-sync forgeries.",
        "This proves nothing: forgeries of a kind the detector never saw, and forgeries of other things than "
        "the lips, look the same to it.",
    ),
    "not_judged": OutcomeText(
        "Not judged",
        "There is no stretch in which speech is heard and a frontal face of sufficient size seen speaking.",
        "Nothing was examined, so nothing can be concluded.",
    ),
}

_PICTURE_PROOF = "A score is a hint about the face and the mouth, not proof of who made the video or why."
OUTCOMES_FROM_PICTURES: dict[Outcome, OutcomeText] = {  # of a detector that does not hear the sound
    "strong": OutcomeText(
        OUTCOMES["strong"].title,
        "Face and mouth look as they do in known forgeries, and rarely in real videos.",
        _PICTURE_PROOF,
    ),
    "moderate": OutcomeText(
        OUTCOMES["moderate"].title,
        "Face and mouth look more as they do in known forgeries than as in real videos.",
        _PICTURE_PROOF + " Real videos reach such scores at times: look for other evidence.",
    ),
    "inconclusive": OUTCOMES["inconclusive"],
    "none": OutcomeText(
        OUTCOMES["none"].title,
        "Face and mouth look more as they do in real videos than as in known forgeries.",
        "This proves nothing: forgeries of a kind the detector never saw, and forgeries of other things than "
        "the face, look the same to it. It does not hear the sound: a real picture under another voice looks "
        "real to it.",
    ),
    "not_judged": OUTCOMES["not_judged"],
}


def get_outcome_texts(hears: bool) -> dict[Outcome, OutcomeText]:
    """Returns the texts of outcomes, for a detector that looks at the sound or at pictures alone."""
    return OUTCOMES if hears else OUTCOMES_FROM_PICTURES


REASONS = {
    "no_face": "no face was found",
    "small": "the face is smaller than 60 pixels",
    "cut": "the face is cut by the edge of the picture",
    "profile": "the face is turned away",
    "damaged": "picture or sound are damaged, or decoded from damaged data",
    "frozen": "the picture stands still",
    "hole": "pictures are missing, or there are fewer than 12 a second",
    "clock": "picture and sound contradict each other in time",
    "no_sound": "there is no sound",
    "silent": "the sound is silent",
    "no_speech": "no speech was heard",
    "silent_face": "the lips do not move while speech is heard",
    "hidden_mouth": "the mouth can't be seen",
    "no_picture": "the picture has ended, the sound continues",
}

BLIND_SPOTS = (
    "It looks at lips and speech only: faces swapped whole, voices cloned over untouched lips, and pictures "
    "or scenes made up altogether are outside of what it was made for.",
    "It knows the forgeries it was trained on; newer methods may leave no trace that it can see.",
    "Re-encoding, filters, dubbing, strong make-up, beards, masks and hands before the mouth can mislead it.",
    "It says nothing about who speaks, whether what is said is true, or in which context the video is shown.",
)
BLIND_SPOTS_OF_PICTURES = (
    "It looks at pictures of the face and the mouth, and does not hear the sound: a cloned voice, a dubbed "
    "voice or another person's words under a real picture do not change its score. A warning on sound and "
    "lips out of step comes from a separate check, which misses many.",
    "It looks at single pictures, not at motion, and at nothing outside of the face: scenes that are made up "
    "around a real face are outside of what it was made for.",
    *BLIND_SPOTS[1:],
)


def get_blind_spots(hears: bool) -> tuple[str, ...]:
    """Returns what a detector can't see, for one that looks at the sound or at pictures alone."""
    return BLIND_SPOTS if hears else BLIND_SPOTS_OF_PICTURES


class WarningText(NamedTuple):
    """Texts of a warning. `{}` takes the measured values."""

    text: str
    effect: str
    serious: bool  # SERIOUS_LIMIT of these make any outcome inconclusive


WARNINGS = {
    "small_face": WarningText(
        "The face is small: {} pixels, of up to {} that the detector uses.",
        "Details of the lips are missing: the score is less certain, and may be too low or too high.",
        True,
    ),
    "low_frame_rate": WarningText(
        "Only {} frames a second; the training clips have 25.",
        "Five frames last longer than they did in training: the score may be wrong either way.",
        True,
    ),
    "compression": WarningText(
        "Heavily compressed: {} bits per pixel.",
        "Compression erases traces of forgery, and can look like them: the score may be too low or too high.",
        True,
    ),
    "offset": WarningText(
        "Sound and lips seem shifted by {} s against each other.",
        "A shift of the whole sound looks like a forgery without being one: the score may be too high.",
        True,
    ),
    "drift": WarningText(
        "Sound and lips do not stay together: {}.",
        "Where they are apart, the sound looks like a forgery without being one, and the score says nothing "
        "about the lips.",
        True,
    ),
    "moved_sound": WarningText(
        "The separate sound did not begin with the picture: it was moved by {} s, to where the video's own "
        "sound has it.",
        "If it was meant to be elsewhere, sound and lips are out of step: the score may be too high.",
        False,
    ),
    "short": WarningText(
        "Only {} s could be judged.",
        "The score rests on few windows; another stretch might give another.",
        True,
    ),
    "narrow_sound": WarningText(
        "The sound has nothing above {} kHz.",
        "In the training data this is more common in one class: it may push the score up or down.",
        False,
    ),
    "corrupt": WarningText(
        "The picture is damaged in {} places, which were not judged.",
        "Damage can look like forgery, and not all of it shows: the score of the rest may be too high.",
        True,
    ),
    "damaged_sound": WarningText(
        "The sound is damaged in {} places, which were not judged.",
        "Damage can look like forgery, and not all of it shows: the score of the rest may be too high.",
        True,
    ),
    "padded": WarningText(
        "The face is near the edge: {} of its square lies outside the picture.",
        "The model sees grey there, which it rarely saw in training: the score may be wrong either way.",
        False,
    ),
    "several_voices": WarningText(
        "Somebody speaks on more than one sound track of the file; track {} was used.",
        "If it is a translation or a commentary, the lips do not fit it, and the score is that of a forgery. "
        "--audio_track uses another one.",
        True,
    ),
    "several_sounds": WarningText(
        "The file has several sound tracks; track {} was used.",
        "If the person speaks on another one, the scores mean nothing. --audio_track uses another one.",
        False,
    ),
    "several_pictures": WarningText(
        "The file has several video tracks; track {} was used.",
        "The score says nothing about what the others show. --video_track uses another one.",
        False,
    ),
    "cancelling_channels": WarningText(
        "The left and the right channel of the sound cancel each other out; only {} was used.",
        "A fault of the recording. One channel holds the whole sound, so the score should not suffer.",
        False,
    ),
    "left_out": WarningText(
        "{} short appearances of faces were left out, as the number of windows is bounded.",
        "A forgery there does not raise the score; --max_windows or --stride looks at more.",
        False,
    ),
    "untested_crop": WarningText(
        "The pictures were taken as they are ({}).",
        "Where they are not cut like the training clips, the score means nothing.",
        False,
    ),
    "cut_off": WarningText(
        "The file ends after {}, earlier than its header says.",
        "What is missing was not judged: a forgery there does not raise the score.",
        False,
    ),
    "no_key_frame": WarningText(
        "The video was cut where no full picture is: its first {} s can't be shown.",
        "What is missing was not judged: a forgery there does not raise the score.",
        False,
    ),
    "unread": WarningText(
        "{} at the end of the file belong to no picture or sound: another file may be appended.",
        "What is in them was not judged, and counts in no score.",
        False,
    ),
    "joined": WarningText(
        "The file is made of recordings that were joined: another one begins at {}.",
        "No score reaches across a join, but parts of different origin may share one score.",
        False,
    ),
    "released_windows": WarningText(
        "The checkpoint was made with windows cut in the {} way; here they are cut in the paper way.",
        "A window may begin a frame later than in the data it was trained and measured on: the score may "
        "differ a little from the one it would have there.",
        False,
    ),
}
_UNHEARD = "The detector does not hear the sound: the score does not depend on this."
_UNSEEN_SHIFT = (
    "The detector does not hear the sound: the score says nothing about this. The sound may be from "
    "elsewhere, whatever the outcome."
)
EFFECTS_ON_PICTURES = {  # effects and seriousness where the detector does not hear the sound
    "offset": (_UNSEEN_SHIFT, True),
    "drift": (_UNSEEN_SHIFT, True),
    "moved_sound": (_UNHEARD + " The sound only decides which moments are judged.", False),
    "narrow_sound": (_UNHEARD, False),
    "damaged_sound": (_UNHEARD + " Less of the video was judged.", False),
    "several_voices": (
        "The detector does not hear the sound: the score is of the pictures at which that track speaks. "
        "--audio_track uses another one.",
        False,
    ),
    "several_sounds": (
        "The detector does not hear the sound: the score is of the pictures at which that track speaks. "
        "--audio_track uses another one.",
        False,
    ),
    "cancelling_channels": (_UNHEARD, False),
}
SERIOUS_LIMIT = 2  # this many serious warnings make the outcome inconclusive

UNCALIBRATED = (
    "The checkpoint carries no calibration: what its scores mean in probability was never measured, so no "
    "word stronger than 'moderate' is used."
)

PICTURES_ONLY = (
    "The detector does not hear the sound: it looks at pictures of the face and the mouth while somebody "
    "speaks."
)
LEARNED_FROM = "The detector learned from {}; people and forgeries unlike those may mislead it."
DRAWN_PEOPLE = (
    "The checkpoint was trained on drawn people and knows only those: its scores say nothing about real "
    "faces."
)


def format_number(value: float, digits: int = 2) -> str:
    """Formats a number with up to `digits` after the point, without trailing zeros."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def format_time(seconds: float) -> str:
    """Formats seconds as 1:02:03.4 or 2:03.4."""
    tenths = round(max(seconds, 0.0) * 10)
    hours, rest = divmod(tenths, 36000)
    minutes, rest = divmod(rest, 600)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02d}.{rest % 10}"
