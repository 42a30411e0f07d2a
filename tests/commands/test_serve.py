"""The command lipfd serve: what it says where something is missing, and what it warns of."""

import importlib.util
import socket

import pytest

from lipfd_jax.commands import serve


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(SystemExit, match=r"pip install 'lipfd-jax\[serve,faces\]'"):
        serve.check_installed()


def test_another_host_is_warned_of():
    pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
    assert [serve.make_host_warning(host) for host in ("127.0.0.1", "::1", "localhost")] == ["", "", ""]
    assert "--host=0.0.0.0 lets other computers reach" in serve.make_host_warning("0.0.0.0")


def test_a_taken_port_is_an_error_that_names_it():
    pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
    from lipfd_jax.serving.server import Address, open_socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}.*--port"):
            open_socket(Address("127.0.0.1", port))
    with pytest.raises(OSError, match=r"no\.such\.host\.invalid"):
        open_socket(Address("no.such.host.invalid", 0))
