"""Runs the application on an address of this machine until it is told to end."""

import asyncio
import signal
import socket
import sys
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from lipfd_jax.detection.detect import Model
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.serving import page
from lipfd_jax.serving.access_control import Gate, authorities, bracketed
from lipfd_jax.serving.app import make_app
from lipfd_jax.serving.detecting import Judge
from lipfd_jax.serving.folder import working_folder
from lipfd_jax.serving.jobs import Jobs
from lipfd_jax.serving.limits import Limits
from lipfd_jax.serving.worker import Worker

_ANYWHERE = ("0.0.0.0", "::", "")
_PATIENCE = 10.0  # seconds from look to look whether a connection has brought another request


@dataclass(frozen=True)
class Address:
    """Where the server listens, and what else it is called."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: a free one
    names: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")


class PatientProtocol(H11Protocol):
    """HTTP as uvicorn has it, without connections on which no request, or half of one, ever comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A connection begins."""
        super().connection_made(transport)
        self._before = None  # the request that was the last one when we looked last
        self._look = self.loop.call_later(_PATIENCE, self._close_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection ended."""
        self._look.cancel()
        super().connection_lost(exc)

    def _close_silent(self) -> None:
        """Closes where nothing is under way and nothing new has begun since the last look."""
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.cycle is self._before:
            self.transport.close()
            return
        self._before = self.cycle
        self._look = self.loop.call_later(_PATIENCE, self._close_silent)


def listening(address: Address) -> socket.socket:
    """A socket at the address. Raises OSError where it is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=256)
    except OSError as error:
        place = f"{bracketed(address.host)}:{address.port}"
        raise OSError(
            f"can't listen at {place} ({error.strerror}); choose another --port or --host"
        ) from error


def serve(model: Model, settings: DetectionSettings, limits: Limits, address: Address) -> None:
    """Serves until SIGINT or SIGTERM; then nothing of what was uploaded is left.

    Raises OSError: the address is taken, or there is no folder for temporary files.
    """
    with listening(address) as listener, working_folder() as folder:
        port = listener.getsockname()[1]
        worker = Worker(Jobs(folder, limits), Judge(model, settings, limits))
        app = make_app(worker, limits, page.about(model, local=address.local))
        _ends_in_order()
        shown = "localhost" if address.host in _ANYWHERE else bracketed(address.host)
        print(f"ready: http://{shown}:{port}/ (Ctrl-C ends it and removes what was uploaded)", flush=True)
        uvicorn.Server(configured(app, address, port)).run(sockets=[listener])


def configured(app: ASGIApp, address: Address, port: int) -> uvicorn.Config:
    """How uvicorn runs the application: behind the gate, quiet, and with no patience for silence."""
    allowed = authorities(address.host, port, address.names)
    return uvicorn.Config(
        Gate(app, allowed, any_address=address.host in _ANYWHERE),
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def _ends_in_order() -> None:
    """uvicorn ends itself on a signal and then sends it again: that must not skip what is to be removed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
