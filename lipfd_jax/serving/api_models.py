"""Response models of the API; FastAPI writes openapi.json from them."""

from pydantic import BaseModel, Field

from lipfd_jax.detection.texts import Outcome, get_outcome_texts
from lipfd_jax.serving.jobs import Job, State
from lipfd_jax.serving.limits import Limits


class Verdict(BaseModel):
    """An outcome with its title, meaning and caveat."""

    outcome: Outcome
    title: str = Field(description="the outcome in words")
    meaning: str
    caveat: str = Field(description="to be shown wherever the outcome is")


class Video(BaseModel):
    """One video and its progress."""

    id: str = Field(description="random; knowing it is enough to see the result and to remove it")
    name: str = Field(description="of the file as it was given; plain text")
    bytes: int
    state: State
    before: int = Field(description="how many videos are analysed before this one starts")
    part: str = Field(
        description="under way while running: looking (in seconds), scoring (in windows), writing"
    )
    done: float
    of: float = Field(description="how much there is to do; 0 where it is not known")
    verdict: Verdict | None = Field(description="when done")
    reason: str = Field(description="when failed")
    report: str | None = Field(description="path of the page, when done")
    result: str | None = Field(description="path of result.json, when done")


class Bounds(BaseModel):
    """Limits of uploads and of kept results."""

    megabytes: float = Field(description="of one file")
    minutes: float = Field(description="of one video")
    queue: int = Field(description="videos that may be uploading or waiting at once")
    kept: int = Field(description="videos kept with their results; beyond that the oldest goes")
    kept_minutes: float = Field(description="after a video was analysed until it is removed")


class Refusal(BaseModel):
    """Reason for a refused request."""

    detail: str


def describe_job(job: Job, before: int, *, hears: bool = True) -> Video:
    """Returns a job as the API shows it; `hears`: whether the detector's scores depend on the sound."""
    address = f"/api/videos/{job.id}"
    done = job.outcome is not None
    return Video(
        id=job.id,
        name=job.name,
        bytes=job.bytes,
        state=job.state,
        before=before,
        part=job.part if job.state == "running" else "",
        done=job.done,
        of=job.of,
        verdict=_describe_outcome(job.outcome, hears) if job.outcome else None,
        reason=job.reason,
        report=f"{address}/report.html" if done else None,
        result=f"{address}/result.json" if done else None,
    )


def _describe_outcome(outcome: Outcome, hears: bool) -> Verdict:
    return Verdict(outcome=outcome, **get_outcome_texts(hears)[outcome]._asdict())


def describe_limits(limits: Limits) -> Bounds:
    """Returns the limits as the API shows them."""
    return Bounds(**{name: getattr(limits, name) for name in Bounds.model_fields})
