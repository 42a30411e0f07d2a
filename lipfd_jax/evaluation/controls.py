"""Shortcut controls: what scores do when sound and lips can't be compared, and what that means for the claim."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from markupsafe import Markup

from lipfd_jax.data import sound_perturbations
from lipfd_jax.evaluation import effects
from lipfd_jax.evaluation.effects import CLEAN, Effect, steady
from lipfd_jax.evaluation.suite import Cell
from lipfd_jax.pages.axes import unit
from lipfd_jax.pages.bars import Bar, BarChart, bars_html
from lipfd_jax.pages.formats import decimal, interval, percent, signed
from lipfd_jax.pages.rendering import Section, render
from lipfd_jax.preprocessing import sound_changes

TITLE = "Does it hear that sound and lips disagree?"
_NOTABLE = 0.05  # of AUC: less than this is not spoken of as a difference


@dataclass(frozen=True)
class Control:
    """An effect and what its figure means."""

    effect: Effect
    meaning: str


def controls() -> list[Control]:
    """All controls, in the order of the page."""
    alone = "Near 0.5 is expected of a detector that compares; above, "
    out_of_step = "Now real videos disagree as well: a detector that compares calls them fake, and its AUC falls to 0.5."
    delays = [
        Control(
            steady("sound delayed", f"{delay:g} s", partial(sound_changes.shifted, seconds=delay)),
            out_of_step,
        )
        for delay in (0.2, 0.5, 1.0)
    ]
    trimmed = steady("leading silence trimmed", "", sound_changes.trimmed, sound_perturbations.trim)
    limited = (
        partial(sound_changes.resampled, rate=16_000),
        partial(sound_perturbations.band_limit, hertz=8000),
    )
    made = {
        "sound only (frames grey)": (
            effects.grey_frames,
            alone + "the sound gives the class away by itself.",
        ),
        "picture only (mel blank)": (
            effects.blank_mel,
            alone + "the picture gives the class away by itself.",
        ),
        "frames shuffled in time": (effects.shuffled_frames, out_of_step),
        "mouth masked": (effects.masked_mouth, "What is left without the lips: should fall towards 0.5."),
        "only the mouth": (
            effects.only_mouth,
            "What the lips and the sound carry: should stay near the untouched.",
        ),
    }
    changed = {
        kind: Control(Effect(kind, windows=change), meaning) for kind, (change, meaning) in made.items()
    }
    first, second, shuffled, masked, only = changed.values()
    return [
        first,
        second,
        Control(Effect("sound of another video", foreign_sound=True), out_of_step),
        *delays,
        shuffled,
        Control(
            replace(trimmed, kind="leading silence trimmed"),
            "A fall means that silence at the start, which forging tools leave, tells the classes apart.",
        ),
        Control(
            steady("band limited", "8 kHz", *limited),
            "A fall means that the band above 8 kHz, a trace of how files were made, tells the classes apart.",
        ),
        Control(
            Effect("track of the mp4 for the wav", inner_track=True),
            "A change means that the wavs themselves differ between the classes.",
        ),
        masked,
        only,
    ]


def controls_section(result: dict[str, Any]) -> Section:
    """The section of a suite's result, as `suites` writes and reads it."""
    made = [Cell(**cell) for cell in result["cells"]]
    meanings = {control.effect.name: control.meaning for control in controls()}
    rows = [_row(cell, meanings.get(_name(cell), "As it is.")) for cell in made]
    for one in result["model_free"]:
        figure = _with_ends(decimal(one["auc"], 3), interval(*(one["auc_interval"] or (None, None))))
        rows.append([f"no model: {one['name']}", figure, "", "", "", one["meaning"]])
    body = render(
        "lipfd_jax.evaluation",
        "controls.html",
        on=result["on"],
        conclusion=conclusion(result),
        chart=_chart(result, made),
        head=["", "AUC", "against clean", "FPR", "FNR", "what it means"],
        rows=rows,
        missing=result["missing"],
    )
    return Section(TITLE, body)


def conclusion(result: dict[str, Any]) -> list[str]:
    """What the figures say about the claim, in sentences; the first one is the answer."""
    made = {_name(cell): cell for cell in (Cell(**cell) for cell in result["cells"])}
    clean = made[CLEAN.name]
    if clean.auc is None:
        return ["Nothing can be said: the videos are of one class, or none has an AUC."]
    if clean.auc_interval is None or clean.auc_interval[0] <= 0.5:
        return [
            f"Nothing can be said: untouched, the detector does not tell these videos apart with certainty "
            f"(AUC {_figure(clean)})."
        ]
    split = [
        cell
        for name, cell in made.items()
        if name.startswith(("sound of another", "sound delayed", "frames shuffled"))
    ]
    deaf = [cell for cell in split if not _fell(cell)]
    alone = [
        cell
        for name, cell in made.items()
        if name.startswith(("sound only", "picture only")) and _above(cell)
    ]
    plain = [
        one for one in result["model_free"] if one["auc"] is not None and one["auc"] > clean.auc - _NOTABLE
    ]
    found = [_answer(len(split), len(deaf), bool(alone or plain))]
    found += [
        f"It holds on ({_figure(cell)}) under: {_name(cell)}, where real videos disagree too."
        for cell in deaf
    ]
    found += [
        f"{_name(cell).capitalize()} reaches {_figure(cell)}: no comparison is needed for that."
        for cell in alone
    ]
    found += [
        f"Without any model, {one['name']} reaches {one['auc']:.3f}, beside {clean.auc:.3f} of the detector: on these "
        "data a good figure does not show that forgery was seen."
        for one in plain
    ]
    return found


def _answer(split: int, deaf: int, shortcuts: bool) -> str:
    if not split:
        return "Nothing can be said: no control that parts sound and lips could be made."
    if deaf == split:
        return "These figures speak against the claim: the scores do not depend on sound and lips belonging together."
    if deaf or shortcuts:
        return "These figures support the claim in part only: other things tell the classes apart as well."
    return (
        "These figures agree with the claim: parted from the lips, sound no longer tells the classes apart."
    )


def _fell(cell: Cell) -> bool:
    """The AUC fell by something notable, and by more than chance."""
    ends = cell.auc_difference_interval
    return (
        cell.auc_difference is not None
        and cell.auc_difference < -_NOTABLE
        and ends is not None
        and ends[1] < 0
    )


def _above(cell: Cell) -> bool:
    return cell.auc_interval is not None and cell.auc_interval[0] > 0.5


def _figure(cell: Cell) -> str:
    ends = interval(*cell.auc_interval) if cell.auc_interval else ""
    return f"{cell.auc:.3f}" + (f", {ends}" if ends else "")


def _name(cell: Cell) -> str:
    return Effect(cell.kind, cell.level).name


def _chart(result: dict[str, Any], made: list[Cell]) -> Markup:
    bars = [Bar(_name(cell), cell.auc, *(cell.auc_interval or (None, None))) for cell in made]
    for one in result["model_free"]:
        ends = one["auc_interval"] or (None, None)
        bars.append(Bar(f"no model: {one['name']}", one["auc"], *ends, colour="second"))
    guides = (0.5,) if made[0].auc is None else (0.5, made[0].auc)
    caption = "Dotted: guessing, and the untouched videos. Bars of the second colour need no model at all."
    return bars_html(BarChart("AUC under each control", unit("AUC of videos"), bars, caption, guides))


def _row(cell: Cell, meaning: str) -> list[str | Markup]:
    ends = cell.auc_difference_interval
    return [
        _name(cell),
        _with_ends(decimal(cell.auc, 3), interval(*(cell.auc_interval or (None, None)))),
        _with_ends(
            signed(cell.auc_difference), "" if ends is None else f"{signed(ends[0])} to {signed(ends[1])}"
        ),
        percent(cell.fpr, 1),
        percent(cell.fnr, 1),
        meaning,
    ]


def _with_ends(text: str, ends: str) -> Markup:
    return Markup("{}<small>{}</small>").format(text, ends)
