"""Shortcut controls: perturbations that desynchronise sound and lips or drop one, and conclusions."""

from dataclasses import dataclass

from lipfd_jax.evaluation.suites.results import Baseline, PerturbationResult, SuiteResult
from lipfd_jax.pages.formats import interval
from lipfd_jax.perturbations import mel_strips, samples, windows
from lipfd_jax.perturbations.perturbation import Perturbation, without_draws

_DESYNCED = (
    "sound of another video",
    "sound delayed",
    "frames shuffled in time",
)  # sound against lips
_SINGLE_MODALITY = ("sound only (frames grey)", "picture only (mel blank)")
_OUT_OF_STEP = "Now real videos disagree too: a detector that compares calls them fake, its AUC falls to 0.5."
_EXPECTED = "Near 0.5 is expected of a detector that compares; above, the {} alone separates the classes."
_NOTABLE = 0.05  # smallest AUC difference that counts


@dataclass(frozen=True)
class Control:
    """A perturbation and the meaning of the AUC under it."""

    perturbation: Perturbation
    meaning: str


CONTROLS = (
    Control(
        Perturbation("sound only (frames grey)", on_windows=windows.blank_frames), _EXPECTED.format("sound")
    ),
    Control(
        Perturbation("picture only (mel blank)", on_windows=windows.blank_mel), _EXPECTED.format("picture")
    ),
    Control(Perturbation("sound of another video", foreign_sound=True), _OUT_OF_STEP),
    *(
        Control(
            Perturbation(
                "sound delayed", f"{delay:g} s", on_samples=without_draws(samples.shift, seconds=delay)
            ),
            _OUT_OF_STEP,
        )
        for delay in (0.2, 0.5, 1.0)
    ),
    Control(Perturbation("frames shuffled in time", on_windows=windows.shuffle_frames), _OUT_OF_STEP),
    # Traces that the making of files leaves in them.
    Control(
        Perturbation(
            "leading silence trimmed",
            on_samples=without_draws(samples.trim_silence),
            on_strip=mel_strips.trim_silence,
        ),
        "A fall means that silence at the start, which forging tools leave, separates the classes.",
    ),
    Control(
        Perturbation(
            "band limited",
            "8 kHz",
            on_samples=without_draws(samples.resample, rate=16_000),
            on_strip=mel_strips.limit_band,
        ),
        "A fall means that the band above 8 kHz, a trace of how files were made, separates the classes.",
    ),
    Control(
        Perturbation("track of the mp4 for the wav", inner_track=True),
        "A change means that the wavs themselves differ between the classes.",
    ),
    Control(
        Perturbation("mouth masked", on_windows=windows.mask_mouth),
        "The rest of the face without the lips: should fall towards 0.5.",
    ),
    Control(
        Perturbation("only the mouth", on_windows=windows.keep_mouth),
        "Lips and sound alone: should stay near the untouched.",
    ),
)


def draw_conclusions(result: SuiteResult) -> list[str]:
    """Sentences on whether the detector compares sound and lips; the first one is the answer."""
    clean = result.clean
    if clean.auc is None:
        return ["No conclusion: the videos are of one class."]
    known = [one for one in result.model_free or () if one.auc is not None]
    near = [one for one in known if one.auc is not None and one.auc > clean.auc - _NOTABLE]
    beside = [_compare_baseline(one, clean.auc, one in near) for one in known]
    if clean.auc_interval is None or clean.auc_interval[0] <= 0.5:
        return [
            "No conclusion: even untouched, the detector may not separate these videos "
            f"(AUC {_format_auc(clean)}).",
            *beside,
        ]
    desynced = [one for one in result.cells if one.kind in _DESYNCED]
    unaffected = [one for one in desynced if not _auc_fell(one)]
    alone = [one for one in result.cells if one.kind in _SINGLE_MODALITY and _is_above_chance(one)]
    return [
        _choose_answer(len(desynced), len(unaffected), bool(alone or near)),
        *(
            f"The AUC holds under {one.name}, where real videos disagree too: {_format_auc(one)}."
            for one in unaffected
        ),
        *(f"The {one.name} gives {_format_auc(one)}: no comparison is needed for that." for one in alone),
        *beside,
    ]


def _choose_answer(desynced: int, unaffected: int, shortcuts: bool) -> str:
    if not desynced:
        return "No conclusion: no control that separates sound and lips could be made."
    if unaffected == desynced:
        return "These results contradict the claim: scores do not depend on whether sound and lips agree."
    if unaffected or shortcuts:
        return "These results support the claim in part only: other cues separate the classes as well."
    return "These results agree with the claim: with sound and lips separated, the classes look alike."


def _compare_baseline(baseline: Baseline, clean: float, is_near: bool) -> str:
    """AUC of a baseline and of the detector, with a warning where they are close."""
    ends = f", {interval(*baseline.auc_interval)}" if baseline.auc_interval else ""
    warning = " On these data a good AUC does not show that forgery was detected." if is_near else ""
    return (
        f"Without any model, {baseline.name} alone: {baseline.auc:.3f}{ends}; the detector: {clean:.3f}."
        f"{warning}"
    )


def _auc_fell(result: PerturbationResult) -> bool:
    """Whether the AUC fell by a notable amount, and by more than chance."""
    ends = result.auc_difference_interval
    return ends is not None and ends[1] < 0 and (result.auc_difference or 0) < -_NOTABLE


def _is_above_chance(result: PerturbationResult) -> bool:
    return result.auc_interval is not None and result.auc_interval[0] > 0.5


def _format_auc(result: PerturbationResult) -> str:
    ends = interval(*result.auc_interval) if result.auc_interval else ""
    return f"{result.auc:.3f}" + (f", {ends}" if ends else "")
