"""Access control: which requests the server answers, and the security headers of its responses."""

import ipaddress
import re
from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_ADDRESS = re.compile(r"([0-9.]+|\[[0-9a-f:.]+\])(?::[0-9]+)?")
_READING = ("GET", "HEAD", "OPTIONS")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {  # set on every response that does not set its own
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def list_allowed_hosts(host: str, port: int, names: Iterable[str] = ()) -> frozenset[str]:
    """Returns the accepted values of the Host header.

    These are this machine's own names and the address listened at, with the port, and `names`, with or
    without the port.
    """
    own = {f"{name}:{port}" for name in (*_LOOPBACK, bracket_ipv6(host))}
    if port == 80:
        own |= {*_LOOPBACK, bracket_ipv6(host)}
    further = {form for name in names for form in (name, f"{name}:{port}")}
    return frozenset(name.lower() for name in own | further)


def bracket_ipv6(host: str) -> str:
    """Returns an address as written in URLs: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


class AccessControl:
    """ASGI middleware that passes on requests for this server from its own pages or from programs.

    A foreign page whose name resolves to this machine (DNS rebinding) sends its own name as Host, and is
    refused. Requests that change something are accepted from pages of this server only: browsers send Origin
    and Sec-Fetch-Site with them. Programs send neither and are accepted: a page can't omit Origin.
    """

    def __init__(self, app: ASGIApp, allowed: frozenset[str], *, any_address: bool = False):
        """`any_address`: also accept Hosts that are bare addresses, which rebinding can't fake."""
        self._app, self._allowed, self._any_address = app, allowed, any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses a request or passes it on; the ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal:
            status, reason = refusal
            await JSONResponse({"detail": reason}, status)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "").lower()
        if host not in self._allowed and not (self._any_address and _is_address(host)):
            return 421, "This server has another host name; --names adds this one."
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        own = (None, f"http://{host}", f"https://{host}")
        if method not in _READING and (origin not in own or site != "same-origin"):
            return 403, "Only pages of this server, and programs, may do that."
        return None


def _is_address(host: str) -> bool:
    parts = _ADDRESS.fullmatch(host)
    try:
        return parts is not None and ipaddress.ip_address(parts[1].strip("[]")) is not None
    except ValueError:
        return False
