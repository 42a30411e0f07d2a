"""Result of a suite: a typed value in memory, and NAME.json, which is written from it and read back here."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from lipfd_jax.perturbations.perturbation import CLEAN, Perturbation
from lipfd_jax.storage import files
from lipfd_jax.storage.json_types import Count, limit

SuiteName = Literal["baselines", "robustness", "controls"]
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)
VERSION: Literal[1] = 1  # version of the keys of NAME.json
Interval = tuple[float, float]  # ends
_LATER_RANKS = ("matched_rank", "matched_rank_interval")  # keys that the first files lack
_LATER_RESULTS = (*_LATER_RANKS, "matched_rank_difference", "matched_rank_difference_interval")


@dataclass(frozen=True)
class SuiteIdentity:
    """What the scores of a suite belong to; all of it decides."""

    weights: str  # fingerprint of the checkpoint
    records: str  # fingerprint of the data
    on: str  # what was scored, in words: clips or stored windows
    precision: str  # number format of the computation


@dataclass(frozen=True)
class PerturbationResult:
    """Metrics of videos under one perturbation, and differences from those of the unperturbed videos."""

    kind: str
    level: str  # the severity; "mean": over all severities of the kind
    videos: Count
    auc: float | None
    fpr: float | None
    fnr: float | None
    auc_interval: Interval | None
    fnr_interval: Interval | None
    auc_difference: float | None  # this - clean
    auc_difference_interval: Interval | None
    fnr_difference: float | None
    fnr_difference_interval: Interval | None
    matched_rank: float | None
    matched_rank_interval: Interval | None
    matched_rank_difference: float | None
    matched_rank_difference_interval: Interval | None

    @property
    def name(self) -> str:
        """The perturbation's name."""
        return Perturbation(self.kind, self.level).name

    @property
    def is_clean(self) -> bool:
        """Whether it is of the unperturbed videos."""
        return self.kind == CLEAN.kind

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PerturbationResult":
        """The inverse of `dataclasses.asdict`, of JSON values; earlier files lack the matched rank."""
        return cls(**_with_tuples(dict.fromkeys(_LATER_RESULTS) | dict(content)))


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Matched rank and AUC reached without a model."""

    name: str  # its features: "file properties", "mouth sharpness"
    auc: float | None
    auc_interval: Interval | None
    matched_rank: float | None  # None where no source holds both classes, too
    matched_rank_interval: Interval | None
    lacking: str = ""  # why there is no AUC, in a few words
    meaning: str  # the sentence next to it

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Baseline":
        """The inverse of `dataclasses.asdict`, of JSON values; earlier files lack the matched rank."""
        return cls(**_with_tuples(dict.fromkeys(_LATER_RANKS) | dict(content)))


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """Metrics of a suite; the fields, in this order, are the keys of NAME.json."""

    version: Literal[1]
    suite: SuiteName
    decision: str  # pooling, calibration and threshold, in words
    warning: str = ""  # says that there are too few sources; "" where there are enough
    cells: Annotated[tuple[PerturbationResult, ...], limit(minItems=1)]  # clean first
    means: tuple[PerturbationResult, ...]  # over the severities of each kind
    missing: tuple[tuple[str, str], ...]  # (name, reason) of perturbations without a result
    model_free: tuple[Baseline, ...] | None = None  # without a model; no key for robustness
    weights: str  # this and the rest: see SuiteIdentity
    records: str
    on: str
    precision: str

    @property
    def clean(self) -> PerturbationResult:
        """Of the unperturbed videos."""
        return self.cells[0]

    @property
    def missing_by_reason(self) -> dict[str, list[str]]:
        """Names of perturbations without a result, by reason."""
        found: dict[str, list[str]] = {}
        for name, reason in self.missing:
            found.setdefault(reason, []).append(name)
        return found

    def to_json(self) -> dict[str, Any]:
        """The content of NAME.json: plain values and no NaN."""
        content = dataclasses.asdict(self)
        if self.model_free is None:
            del content["model_free"]
        return json.loads(json.dumps(content, allow_nan=False))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "SuiteResult":
        """The inverse of `to_json`. Raises KeyError or TypeError for other content."""
        free = content.get("model_free")
        return cls(
            **{
                **content,
                "cells": tuple(map(PerturbationResult.from_json, content["cells"])),
                "means": tuple(map(PerturbationResult.from_json, content["means"])),
                "missing": tuple((name, reason) for name, reason in content["missing"]),
                "model_free": None if free is None else tuple(map(Baseline.from_json, free)),
            }
        )


Suites = Mapping[SuiteName, SuiteResult]
NO_SUITES: Suites = MappingProxyType({})


def write_result(output: str | os.PathLike, result: SuiteResult) -> None:
    """Writes NAME.json into a folder, whole or not at all."""
    files.write_json(_result_file(output, result.suite), result.to_json())


def read_result(output: str | os.PathLike, name: SuiteName) -> SuiteResult | None:
    """The result in a folder's NAME.json; None where there is none. Raises ValueError for a damaged file."""
    file = _result_file(output, name)
    if not file.exists():
        return None
    try:
        return SuiteResult.from_json(dict(json.loads(file.read_text("utf-8"))))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: can't be read ({error!r}); remove it or run the suite again") from error


def with_earlier(fresh: Sequence[SuiteResult], output: str | os.PathLike, weights: str) -> Suites:
    """Results by name: the fresh ones, and those of the same weights that earlier runs left in a folder."""
    known = {result.suite: result for result in fresh}
    found = {name: known[name] if name in known else read_result(output, name) for name in SUITES}
    return {name: result for name, result in found.items() if result and result.weights == weights}


def _result_file(output: str | os.PathLike, name: SuiteName) -> Path:
    return Path(output) / f"{name}.json"


def _with_tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
