"""Shortcut controls: what scores do when sound and lips can't be compared, and what that says."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup

from lipfd_jax.evaluation.suites.results import Cell, by_reason
from lipfd_jax.evaluation.suites.section import auc, auc_moved, fewer, figure
from lipfd_jax.pages.axes import unit
from lipfd_jax.pages.bars import Bar, BarChart, bars_html
from lipfd_jax.pages.formats import interval, percent
from lipfd_jax.pages.rendering import Section, render
from lipfd_jax.perturbations import catalogue, mel_strips, samples
from lipfd_jax.perturbations.catalogue import Effect, steady

TITLE = "Does it hear that sound and lips disagree?"
_PARTED = ("sound of another video", "sound delayed", "frames shuffled in time")
_ALONE = ("sound only (frames grey)", "picture only (mel blank)")
_OUT_OF_STEP = "Now real videos disagree too: a detector that compares calls them fake, its AUC falls to 0.5."
_NOTABLE = 0.05  # of AUC: less than this is not spoken of as a difference


@dataclass(frozen=True)
class Control:
    """An effect and what its figure means."""

    effect: Effect
    meaning: str


def controls() -> list[Control]:
    """All controls, in the order of the page."""
    expected = "Near 0.5 is expected of a detector that compares; above, the {} alone tells the class."
    sound, picture = ("sound only (frames grey)", "picture only (mel blank)")
    delays = [
        steady("sound delayed", f"{delay:g} s", partial(samples.shifted, seconds=delay))
        for delay in (0.2, 0.5, 1.0)
    ]
    parted = [
        Effect("sound of another video", foreign_sound=True),
        *delays,
        Effect("frames shuffled in time", windows=catalogue.shuffled_frames),
    ]
    return [
        Control(Effect(sound, windows=catalogue.grey_frames), expected.format("sound")),
        Control(Effect(picture, windows=catalogue.blank_mel), expected.format("picture")),
        *(Control(effect, _OUT_OF_STEP) for effect in parted),
        *_of_files(),
        Control(
            Effect("mouth masked", windows=catalogue.masked_mouth),
            "What is left without the lips: should fall towards 0.5.",
        ),
        Control(
            Effect("only the mouth", windows=catalogue.only_mouth),
            "What lips and sound carry: should stay near the untouched.",
        ),
    ]


def _of_files() -> list[Control]:
    """Controls of what the making of files leaves in them."""
    trimmed = steady("leading silence trimmed", "", samples.trimmed, mel_strips.trim)
    limits = (
        partial(samples.resampled, rate=16_000),
        partial(mel_strips.band_limit, hertz=8000),
    )
    return [
        Control(
            trimmed,
            "A fall means that silence at the start, which forging tools leave, tells them apart.",
        ),
        Control(
            steady("band limited", "8 kHz", *limits),
            "A fall means that the band above 8 kHz, a trace of how files were made, tells them apart.",
        ),
        Control(
            Effect("track of the mp4 for the wav", inner_track=True),
            "A change means that the wavs themselves differ between the classes.",
        ),
    ]


def controls_section(result: dict[str, Any]) -> Section:
    """The section of a suite's result, as `suites` writes and reads it."""
    made = [Cell(**cell) for cell in result["cells"]]
    meanings = {control.effect.name: control.meaning for control in controls()}
    rows = [_row(cell, made[0], meanings.get(_name(cell), "As it is.")) for cell in made]
    for one in result["model_free"]:
        name = figure(f"no model: {one['name']}", one["meaning"])
        rows.append([name, auc(one["auc"], one["auc_interval"]), "", "", ""])
    body = render(
        "lipfd_jax.evaluation",
        "controls.html",
        on=result["on"],
        decision=result["decision"],
        warning=result.get("warning", ""),  # of an older version: none
        conclusion=conclusion(result),
        chart=_chart(result, made),
        head=["", "AUC", "against clean", "FPR", "FNR"],
        rows=rows,
        missing=by_reason(result["missing"]),
    )
    return Section(TITLE, body)


def conclusion(result: dict[str, Any]) -> list[str]:
    """What the figures say about the claim, in sentences; the first one is the answer."""
    made = [Cell(**cell) for cell in result["cells"]]
    clean = made[0]
    if clean.auc is None:
        return ["Nothing can be said: the videos are of one class."]
    known = [one for one in result["model_free"] if one["auc"] is not None]
    plain = [one for one in known if one["auc"] > clean.auc - _NOTABLE]
    beside = [_beside(one, clean.auc, one in plain) for one in known]
    if clean.auc_interval is None or clean.auc_interval[0] <= 0.5:
        return [
            "Nothing can be said: even untouched, the detector may not tell these videos apart "
            f"(AUC {_figure(clean)}).",
            *beside,
        ]
    parted = [cell for cell in made if cell.kind in _PARTED]
    deaf = [cell for cell in parted if not _fell(cell)]
    alone = [cell for cell in made if cell.kind in _ALONE and _above(cell)]
    return [
        _answer(len(parted), len(deaf), bool(alone or plain)),
        *(
            f"The AUC holds under {_name(cell)}, where real videos disagree too: {_figure(cell)}."
            for cell in deaf
        ),
        *(f"The {_name(cell)} gives {_figure(cell)}: no comparison is needed for that." for cell in alone),
        *beside,
    ]


def _beside(one: dict[str, Any], clean: float, near: bool) -> str:
    """What is reached without a model, and what that means where it comes near."""
    ends = f", {interval(*one['auc_interval'])}" if one["auc_interval"] else ""
    warning = " On these data a good figure does not show that forgery was seen." if near else ""
    return (
        f"Without any model, {one['name']} alone: {one['auc']:.3f}{ends}; the detector: {clean:.3f}.{warning}"
    )


def _answer(parted: int, deaf: int, shortcuts: bool) -> str:
    if not parted:
        return "Nothing can be said: no control that parts sound and lips could be made."
    if deaf == parted:
        return "These figures speak against the claim: scores do not hang on whether sound and lips agree."
    if deaf or shortcuts:
        return "These figures support the claim in part only: other things tell the classes apart as well."
    return "These figures agree with the claim: with sound and lips parted, the classes look alike."


def _fell(cell: Cell) -> bool:
    """The AUC fell by something notable, and by more than chance."""
    ends = cell.auc_difference_interval
    return ends is not None and ends[1] < 0 and (cell.auc_difference or 0) < -_NOTABLE


def _above(cell: Cell) -> bool:
    return cell.auc_interval is not None and cell.auc_interval[0] > 0.5


def _figure(cell: Cell) -> str:
    ends = interval(*cell.auc_interval) if cell.auc_interval else ""
    return f"{cell.auc:.3f}" + (f", {ends}" if ends else "")


def _name(cell: Cell) -> str:
    return Effect(cell.kind, cell.level).name


def _chart(result: dict[str, Any], made: list[Cell]) -> Markup:
    names = [", ".join(filter(None, (_name(cell), fewer(cell, made[0])))) for cell in made]
    bars = [
        Bar(name, cell.auc, *(cell.auc_interval or (None, None)))
        for name, cell in zip(names, made, strict=True)
    ]
    for one in result["model_free"]:
        ends = one["auc_interval"] or (None, None)
        lacking = one.get("lacking", "")
        bars.append(Bar(f"no model: {one['name']}", one["auc"], *ends, colour="second", lacking=lacking))
    guides = (0.5,) if made[0].auc is None else (0.5, made[0].auc)
    caption = "Dotted: guessing, and the untouched videos. Bars of the second colour need no model at all."
    return bars_html(BarChart("AUC under each control", unit("AUC of videos"), bars, caption, guides))


def _row(cell: Cell, clean: Cell, meaning: str) -> list[str | Markup]:
    figures = [auc(cell.auc, cell.auc_interval), auc_moved(cell), percent(cell.fpr, 1), percent(cell.fnr, 1)]
    counted = fewer(cell, clean)
    return [figure(_name(cell), f"{meaning} Only {counted}." if counted else meaning), *figures]
