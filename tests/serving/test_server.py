"""Connections that never bring a whole request are closed; others stay as long as something is under way."""

import asyncio
import socket
import threading

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from lipfd_jax.serving import server


@pytest.fixture
def port(monkeypatch):
    """Of a server that looks every tenth of a second and answers 'here', slowly at /slow."""
    import uvicorn

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            for said in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{said}.complete"})
            return
        await asyncio.sleep(0.4 if scope["path"] == "/slow" else 0)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"here"})

    monkeypatch.setattr(server, "_IDLE_SECONDS", 0.1)
    place = server.Address(port=0)
    with server.open_socket(place) as listener:
        port = listener.getsockname()[1]
        running = uvicorn.Server(server.make_config(app, place, port))
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        yield port
        running.should_exit = True
        thread.join(10)


def _until_closed(port, *pieces):
    """What comes back on a connection, until the server closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece.replace(b"HOST", b"Host: 127.0.0.1:%d" % port))
        received = b""
        while piece := connection.recv(4096):
            received += piece
        return received


def test_half_requests_do_not_hold_a_connection(port):
    assert _until_closed(port) == b""
    assert _until_closed(port, b"GET / HTTP/1.1\r\nHOST\r\n") == b""
    after_one = _until_closed(port, b"GET / HTTP/1.1\r\nHOST\r\n\r\n", b"GET / HTTP/1.1\r\n")
    assert after_one.count(b"here") == 1


def test_what_takes_its_time_is_answered(port):
    assert b"here" in _until_closed(port, b"GET /slow HTTP/1.1\r\nHOST\r\n\r\n")
