"""The server's addresses: the page, and the API that it and programs use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from lipfd_jax.detection.batch_run import PAGE, RESULT
from lipfd_jax.detection.report import SCRIPTS
from lipfd_jax.pages.rendering import content_policy
from lipfd_jax.serving import api_models, page
from lipfd_jax.serving.jobs import Job
from lipfd_jax.serving.limits import Limits, Refused
from lipfd_jax.serving.uploads import receive, shown_name, too_large
from lipfd_jax.serving.worker import Worker
from lipfd_jax.version import __version__

_SWEEP = 20.0  # seconds between looks for what was kept long enough
# Its own scripts, known by their checksums; an origin of its own, with no way to the API.
_REPORT_POLICY = content_policy(
    "lipfd_jax.detection",
    SCRIPTS,
    (
        "media-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "sandbox allow-scripts",
    ),
)
_VIDEO_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # the report that plays it has an origin of its own
}
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_REFUSALS = {
    status: {"model": api_models.Refusal} for status in (400, 403, 404, 408, 413, 415, 421, 503, 507)
}
Key = Annotated[str, Path(description="the id of a video", max_length=64)]


def make_app(worker: Worker, limits: Limits, about: page.About) -> FastAPI:
    """The application; while it runs, the worker does. It answers anybody: put a `gate.Gate` before it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        sweeping = asyncio.create_task(_swept(worker.jobs.expire))
        yield
        sweeping.cancel()
        await run_in_threadpool(worker.stop)

    app = FastAPI(
        title="lipfd serve",
        version=__version__,
        summary="Judges whether the mouth in a video was drawn again to fit other words.",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_exception_handler(Refused, _refused)
    _add_pages(app, page.files(limits, about))
    _add_api(app, worker, limits)
    _add_results(app, worker)
    return app


async def _swept(expire: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_SWEEP)
        await run_in_threadpool(expire)


async def _refused(request: Request, error: Refused) -> JSONResponse:
    headers = {"Connection": "close"}  # what is left of an upload is not waited for
    if error.status == 503:
        headers["Retry-After"] = "5"
    return JSONResponse({"detail": error.reason}, error.status, headers)


def _add_pages(app: FastAPI, made: dict[str, page.Made]) -> None:
    def answering(content: page.Made) -> Callable[[], Response]:
        return lambda: Response(content.text, media_type=content.media_type)

    for address, content in made.items():
        app.add_api_route(address, answering(content), include_in_schema=False)


def _add_api(app: FastAPI, worker: Worker, limits: Limits) -> None:
    jobs = worker.jobs

    @app.get("/api/limits")
    def limits_of_the_server() -> api_models.Bounds:
        """What the server takes and keeps."""
        return api_models.bounds(limits)

    @app.post("/api/videos", status_code=202, responses=_REFUSALS, openapi_extra={"requestBody": _BODY})
    async def upload(
        request: Request, name: Annotated[str, Query(description="the file's name, to be shown")] = "video"
    ) -> api_models.Video:
        """Takes a video as the body of the request (application/octet-stream, or its own type)."""
        _check_type(request.headers.get("content-type", ""))
        if int(request.headers.get("content-length", 0)) > limits.bytes:
            raise too_large(
                limits
            )  # before it is sent, where the sender asks first; what comes is counted anyway
        job = jobs.admit(shown_name(name))
        try:
            jobs.enqueue(job.id, await receive(request.stream(), job.video, limits))
            return api_models.video(*jobs.find(job.id))
        except (ClientDisconnect, KeyError):
            raise Refused(400, "The upload broke off, or was removed.") from None
        finally:
            jobs.give_up(job.id)

    @app.get("/api/videos/{key}", responses=_REFUSALS)
    def state(key: Key) -> api_models.Video:
        """How far a video is."""
        return api_models.video(*_found(worker, key))

    @app.delete("/api/videos/{key}", status_code=204, responses=_REFUSALS)
    def remove(key: Key) -> None:
        """Removes a video and its result at once, whether judged or not."""
        try:
            worker.remove(key)
        except KeyError:
            raise _missing() from None


def _add_results(app: FastAPI, worker: Worker) -> None:
    @app.get("/api/videos/{key}/report.html", responses=_REFUSALS, response_class=FileResponse)
    def report(key: Key, save: bool = False) -> FileResponse:
        """The page of a result; with `save`, as a file to keep."""
        return FileResponse(
            _finished(worker, key).folder / PAGE,
            media_type="text/html",
            filename=PAGE if save else None,
            headers={"Content-Security-Policy": _REPORT_POLICY},
        )

    @app.get("/api/videos/{key}/result.json", responses=_REFUSALS, response_class=FileResponse)
    def result(key: Key, save: bool = False) -> FileResponse:
        """The result, as result.schema.json describes it; with `save`, as a file to keep."""
        return FileResponse(
            _finished(worker, key).folder / RESULT,
            media_type="application/json",
            filename=RESULT if save else None,
        )

    @app.get("/api/videos/{key}/video", responses=_REFUSALS, response_class=FileResponse)
    def video(key: Key) -> FileResponse:
        """The video itself, which the report plays."""
        job = _finished(worker, key)
        return FileResponse(job.video, media_type=page.media_type(job.name), headers=_VIDEO_HEADERS)


def _check_type(given: str) -> None:
    """Refuses the types that a form elsewhere could send without being asked."""
    kind = given.partition(";")[0].strip().lower()
    if kind != "application/octet-stream" and not kind.startswith(("video/", "audio/")):
        raise Refused(415, "Send the file as the body, with Content-Type: application/octet-stream.")


def _found(worker: Worker, key: str) -> tuple[Job, int]:
    try:
        return worker.jobs.find(key)
    except KeyError:
        raise _missing() from None


def _missing() -> Refused:
    return Refused(404, "There is no such video, or it is no longer kept.")


def _finished(worker: Worker, key: str) -> Job:
    job, _ = _found(worker, key)
    if job.outcome is None:
        raise Refused(404, "This video has no result (yet).")
    return job
