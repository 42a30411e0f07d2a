"""Runs the application with uvicorn until SIGINT or SIGTERM."""

import asyncio
import signal
import socket
import sys
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.serving import page
from lipfd_jax.serving.access_control import AccessControl, bracket_ipv6, list_allowed_hosts
from lipfd_jax.serving.app import make_app
from lipfd_jax.serving.detecting import IsolatedDetector
from lipfd_jax.serving.folder import working_folder
from lipfd_jax.serving.jobs import Jobs
from lipfd_jax.serving.limits import Limits
from lipfd_jax.serving.worker import Worker

_ANYWHERE = ("0.0.0.0", "::", "")
_IDLE_SECONDS = 10.0  # between checks whether a connection has brought another request


@dataclass(frozen=True)
class Address:
    """Address that the server listens at, and further host names."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: a free one
    names: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")


class IdleTimeoutProtocol(H11Protocol):
    """uvicorn's HTTP protocol that also closes connections on which no complete request comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in H11Protocol
        """Starts the check for idleness."""
        super().connection_made(transport)
        self._before: RequestResponseCycle | None = None  # the last request at the check before
        self._check = self.loop.call_later(_IDLE_SECONDS, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the check for idleness."""
        self._check.cancel()
        super().connection_lost(exc)

    def _close_idle(self) -> None:
        """Closes the connection if no request is in work and none has begun since the last check."""
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.cycle is self._before:
            self.transport.close()
            return
        self._before = self.cycle
        self._check = self.loop.call_later(_IDLE_SECONDS, self._close_idle)


def open_socket(address: Address) -> socket.socket:
    """Opens a listening socket. Raises OSError if the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=256)
    except OSError as error:
        place = f"{bracket_ipv6(address.host)}:{address.port}"
        raise OSError(
            f"can't listen at {place} ({error.strerror}); choose another --port or --host"
        ) from error


def run_server(detector: Predictor, settings: DetectionSettings, limits: Limits, address: Address) -> None:
    """Serves until SIGINT or SIGTERM, then removes all uploads and results.

    Raises OSError: the address is taken, or there is no folder for temporary files.
    """
    with open_socket(address) as listener, working_folder() as folder:
        port = listener.getsockname()[1]
        worker = Worker(Jobs(folder, limits), IsolatedDetector(detector, settings, limits))
        app = make_app(worker, limits, page.describe_detector(detector, local=address.local))
        _exit_on_signals()
        shown = "localhost" if address.host in _ANYWHERE else bracket_ipv6(address.host)
        print(f"ready: http://{shown}:{port}/ (Ctrl-C ends it and removes what was uploaded)", flush=True)
        uvicorn.Server(make_config(app, address, port)).run(sockets=[listener])


def make_config(app: ASGIApp, address: Address, port: int) -> uvicorn.Config:
    """Configures uvicorn: access control, no access log, idle connections closed."""
    allowed = list_allowed_hosts(address.host, port, address.names)
    return uvicorn.Config(
        AccessControl(app, allowed, any_address=address.host in _ANYWHERE),
        http=IdleTimeoutProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def _exit_on_signals() -> None:
    """Makes signals exit in order: uvicorn raises them again, which would skip removing the uploads."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
