"""The model of a run over many videos: its errors end the run, as no video is at fault for them."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from lipfd_jax.inference.forwarding import Answer, ForwardingPredictor
from lipfd_jax.inference.predictor import Predictor

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


class RunModel(ForwardingPredictor):
    """A `Predictor` whose members raise EndOfRun."""

    def __init__(self, model: Predictor):
        self._model = model

    @end_run
    def _ask(self, question: Callable[[Predictor], Answer]) -> Answer:
        return question(self._model)
