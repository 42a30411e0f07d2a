"""Section of the report on baselines: the detector beside what needs no model, and the answer in words."""

from typing import Literal

from markupsafe import Markup

from lipfd_jax.evaluation.suites.results import Baseline, PerturbationResult, SuiteResult
from lipfd_jax.pages.axes import unit_axis
from lipfd_jax.pages.bars import Bar, BarChart, render_bars
from lipfd_jax.pages.formats import decimal, interval
from lipfd_jax.pages.rendering import Section, render_template

BASELINES_TITLE = "Is it better than what needs no model?"
_HEAD = ["", "matched rank", "AUC"]
_Rank = Literal["matched_rank", "auc"]
_NAMES: dict[_Rank, str] = {"matched_rank": "Matched rank", "auc": "AUC"}


def make_baselines_section(result: SuiteResult) -> Section:
    """The answer in words, then matched rank and AUC of the detector and of each baseline in one table."""
    detector = with_note("the detector", f"All {result.clean.videos:,} videos as they are.")
    rows = [[detector, *format_ranks(result.clean)], *map(build_baseline_row, result.model_free or ())]
    body = render_template(
        "lipfd_jax.evaluation",
        "baselines.html",
        on=result.on,
        decision=result.decision,
        warning=result.warning,
        answer=answer_baselines(result),
        chart=_make_chart(result),
        head=_HEAD,
        rows=rows,
    )
    return Section(BASELINES_TITLE, body)


def summarise_baselines(result: SuiteResult) -> str:
    """The answer, and both metrics of the detector and of each baseline in one line each."""
    return " ".join([answer_baselines(result), *(_list_values(result, rank) for rank in _NAMES)])


def find_baselines(result: SuiteResult) -> str:
    """One sentence for the head of the report."""
    warning = f" Warning: {result.warning}." if result.warning else ""
    return f"{BASELINES_TITLE} {answer_baselines(result)}{warning}"


def answer_baselines(result: SuiteResult) -> str:
    """Whether the interval of the detector's matched rank is above the value of each known baseline."""
    known = [one for one in result.model_free or () if one.matched_rank is not None]
    ends = result.clean.matched_rank_interval
    if ends is None:
        return (
            "Not known: no source holds real and fake videos, and an AUC over videos of many origins can "
            "come from their files alone."
        )
    if not known:
        return "Not known: no baseline could be computed."
    equal = [one.name for one in known if ends[0] <= (one.matched_rank or 0)]
    if equal:
        return f"Not shown: within sources it may rank no better than {' or '.join(equal)} alone."
    return f"Yes: within sources it ranks better than {' and '.join(one.name for one in known)} alone."


def build_baseline_row(baseline: Baseline) -> list[Markup]:
    """Name with its meaning, matched rank and AUC."""
    return [with_note(f"no model: {baseline.name}", baseline.meaning), *format_ranks(baseline)]


def build_baseline_bar(baseline: Baseline, rank: _Rank) -> Bar:
    """A bar in the colour of baselines."""
    low, high = _get_ends(baseline, rank) or (None, None)
    name = f"no model: {baseline.name}"
    return Bar(name, getattr(baseline, rank), low, high, colour="second", lacking=baseline.lacking)


def format_ranks(one: PerturbationResult | Baseline) -> list[Markup]:
    """Matched rank and AUC with their intervals, as two cells."""
    return [
        with_note(decimal(getattr(one, rank), 3), interval(*(_get_ends(one, rank) or (None, None))))
        for rank in _NAMES
    ]


def with_note(text: str, note: str) -> Markup:
    """A metric or a name, with a note in small type below."""
    return Markup("{}<small>{}</small>").format(text, note)


def _get_ends(one: PerturbationResult | Baseline, rank: _Rank) -> tuple[float, float] | None:
    return getattr(one, f"{rank}_interval")


def _make_chart(result: SuiteResult) -> Markup:
    """Bars of the matched rank, or of the AUC where no source holds both classes."""
    rank: _Rank = "auc" if result.clean.matched_rank is None else "matched_rank"
    low, high = _get_ends(result.clean, rank) or (None, None)
    bars = [Bar("the detector", getattr(result.clean, rank), low, high)]
    bars += [build_baseline_bar(baseline, rank) for baseline in result.model_free or ()]
    caption = "Dotted: guessing. Bars of the second colour need no model at all."
    title = f"{_NAMES[rank]} with and without a model"
    return render_bars(BarChart(title, unit_axis(f"{_NAMES[rank]} of videos"), bars, caption, (0.5,)))


def _list_values(result: SuiteResult, rank: _Rank) -> str:
    """Such as 'AUC: the detector 0.750, 0.700 to 0.800; mouth sharpness alone 0.490, ...'."""
    named = {"the detector": result.clean} | {f"{one.name} alone": one for one in result.model_free or ()}
    values = [
        ", ".join(filter(None, (f"{name} {decimal(getattr(one, rank), 3)}", interval(*ends) if ends else "")))
        for name, one in named.items()
        for ends in (_get_ends(one, rank),)
    ]
    return f"{_NAMES[rank]}: {'; '.join(values)}."
