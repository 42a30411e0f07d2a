"""FastAPI application: the page, and the API that the page and programs use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from lipfd_jax.detection.report import SCRIPTS
from lipfd_jax.detection.result_folder import PAGE, RESULT
from lipfd_jax.pages.rendering import make_content_policy
from lipfd_jax.serving import api_models, page
from lipfd_jax.serving.jobs import Job
from lipfd_jax.serving.limits import Limits, RequestError
from lipfd_jax.serving.uploads import make_display_name, make_too_large_error, receive_upload
from lipfd_jax.serving.worker import Worker
from lipfd_jax.version import __version__

_EXPIRY_INTERVAL = 20.0  # seconds between removals of expired videos
_REPORT_POLICY = (
    make_content_policy(  # only its own scripts, by checksum; a sandboxed origin that can't reach the API
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
)
_VIDEO_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # the report that plays it is sandboxed
}
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {  # the type that FastAPI takes
    status: {"model": api_models.Refusal} for status in (400, 403, 404, 408, 413, 415, 421, 503, 507)
}
Key = Annotated[str, Path(description="the id of a video", max_length=64)]


def make_app(worker: Worker, limits: Limits, about: page.DetectorDescription) -> FastAPI:
    """Builds the application, which starts and stops the worker. It has no access control of its own; wrap
    it in `access_control.AccessControl`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        sweeping = asyncio.create_task(_expire_regularly(worker.jobs.expire))
        yield
        sweeping.cancel()
        await run_in_threadpool(worker.stop)

    app = FastAPI(
        title="lipfd serve",
        version=__version__,
        summary="Detects whether the mouth in a video was regenerated to match other speech.",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_exception_handler(RequestError, _respond_to_refusal)
    _add_pages(app, page.make_files(limits, about))
    _add_api(app, worker, limits, about.hears)
    _add_results(app, worker)
    return app


async def _expire_regularly(expire: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_EXPIRY_INTERVAL)
        await run_in_threadpool(expire)


async def _respond_to_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)  # the handler is registered for these alone
    headers = {"Connection": "close"}  # the rest of an upload is not read
    if error.status == 503:
        headers["Retry-After"] = "5"
    return JSONResponse({"detail": error.reason}, error.status, headers)


def _add_pages(app: FastAPI, static: dict[str, page.StaticFile]) -> None:
    def make_handler(content: page.StaticFile) -> Callable[[], Response]:
        return lambda: Response(content.text, media_type=content.media_type)

    for address, content in static.items():
        app.add_api_route(address, make_handler(content), include_in_schema=False)


def _add_api(app: FastAPI, worker: Worker, limits: Limits, hears: bool) -> None:
    jobs = worker.jobs

    @app.get("/api/limits")
    def limits_of_the_server() -> api_models.Bounds:
        """Limits of uploads and of kept results."""
        return api_models.describe_limits(limits)

    @app.post("/api/videos", status_code=202, responses=_REFUSALS, openapi_extra={"requestBody": _BODY})
    async def upload(
        request: Request, name: Annotated[str, Query(description="the file's name, to be shown")] = "video"
    ) -> api_models.Video:
        """Takes a video as the body of the request (application/octet-stream, or its own type)."""
        _check_type(request.headers.get("content-type", ""))
        if int(request.headers.get("content-length", 0)) > limits.bytes:
            raise make_too_large_error(limits)  # before the body is sent; `receive_upload` counts it anyway
        job = jobs.admit(make_display_name(name))
        try:
            jobs.enqueue(job.id, await receive_upload(request.stream(), job.video, limits))
            return api_models.describe_job(*jobs.find(job.id), hears=hears)
        except (ClientDisconnect, KeyError):
            raise RequestError(400, "The upload broke off, or was removed.") from None
        finally:
            jobs.discard_upload(job.id)

    @app.get("/api/videos/{key}", responses=_REFUSALS)
    def state(key: Key) -> api_models.Video:
        """Progress of a video."""
        return api_models.describe_job(*_find_job(worker, key), hears=hears)

    @app.delete("/api/videos/{key}", status_code=204, responses=_REFUSALS)
    def remove(key: Key) -> None:
        """Removes a video and its result at once, whether analysed or not."""
        try:
            worker.remove(key)
        except KeyError:
            raise _not_found() from None


def _add_results(app: FastAPI, worker: Worker) -> None:
    @app.get("/api/videos/{key}/report.html", responses=_REFUSALS, response_class=FileResponse)
    def report(key: Key, save: bool = False) -> FileResponse:
        """The report of a result; with `save`, as a download."""
        return FileResponse(
            _find_finished(worker, key).folder / PAGE,
            media_type="text/html",
            filename=PAGE if save else None,
            headers={"Content-Security-Policy": _REPORT_POLICY},
        )

    @app.get("/api/videos/{key}/result.json", responses=_REFUSALS, response_class=FileResponse)
    def result(key: Key, save: bool = False) -> FileResponse:
        """The result, as result.schema.json describes it; with `save`, as a download."""
        return FileResponse(
            _find_finished(worker, key).folder / RESULT,
            media_type="application/json",
            filename=RESULT if save else None,
        )

    @app.get("/api/videos/{key}/video", responses=_REFUSALS, response_class=FileResponse)
    def video(key: Key) -> FileResponse:
        """The video itself, which the report plays."""
        job = _find_finished(worker, key)
        return FileResponse(job.video, media_type=page.guess_media_type(job.name), headers=_VIDEO_HEADERS)


def _check_type(given: str) -> None:
    """Refuses content types that a form of a foreign page could send without a preflight request."""
    kind = given.partition(";")[0].strip().lower()
    if kind != "application/octet-stream" and not kind.startswith(("video/", "audio/")):
        raise RequestError(415, "Send the file as the body, with Content-Type: application/octet-stream.")


def _find_job(worker: Worker, key: str) -> tuple[Job, int]:
    try:
        return worker.jobs.find(key)
    except KeyError:
        raise _not_found() from None


def _not_found() -> RequestError:
    return RequestError(404, "There is no such video, or it is no longer kept.")


def _find_finished(worker: Worker, key: str) -> Job:
    job, _ = _find_job(worker, key)
    if job.outcome is None:
        raise RequestError(404, "This video has no result (yet).")
    return job
