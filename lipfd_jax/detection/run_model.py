"""The model of a run over many videos: its errors end the run, as no video is at fault for them."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.inference.predictor import Predictions, Predictor

Given = ParamSpec("Given")
Found = TypeVar("Found")


class EndOfRun(BaseException):
    """Carries an exception, its cause, past the handlers of one video's faults."""

    def __init__(self, cause: BaseException):
        super().__init__(cause)
        self.cause = cause


def end_run(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """Returns a function that raises EndOfRun for every exception of `function`."""

    @functools.wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise EndOfRun(error) from error

    return call


class RunModel:
    """A `Predictor` whose members raise EndOfRun."""

    def __init__(self, model: Predictor):
        self._model = model

    @property
    @end_run
    def metadata(self) -> Metadata:
        """As in `Predictor`."""
        return self._model.metadata

    @property
    @end_run
    def path(self) -> str:
        """As in `Predictor`."""
        return self._model.path

    @property
    @end_run
    def batch_size(self) -> int:
        """As in `Predictor`."""
        return self._model.batch_size

    @property
    @end_run
    def fingerprint(self) -> str:
        """As in `Predictor`."""
        return self._model.fingerprint

    @end_run
    def predict(self, composites: np.ndarray) -> Predictions:
        """As `Predictor.predict`."""
        return self._model.predict(composites)

    @end_run
    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """As `Predictor.saliency`."""
        return self._model.saliency(composite)
