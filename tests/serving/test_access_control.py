"""Whom the server answers: names, origins; and what its answers forbid a browser."""

import base64
import hashlib
import re

import pytest

pytest.importorskip("starlette", reason="the extra 'serve' is not installed")

from lipfd_jax.detection.report import SCRIPTS
from lipfd_jax.pages.rendering import read_template
from lipfd_jax.serving.access_control import list_allowed_hosts

RAW = {"Content-Type": "application/octet-stream"}
OWN = "http://127.0.0.1:8000"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_its_own_names_are_answered(serving, host):
    assert serving().client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:81", "127.0.0.1:8000.evil.example", "",
     "localhost.evil.example:8000", "192.168.0.7:8000", "user@localhost:8000", "127.0.0.1:8000@evil.example"],
)  # fmt: skip
def test_other_names_are_refused_on_every_address(serving, host):
    client = serving().client
    for address in ("/", "/api/limits", "/openapi.json", "/nothing"):
        assert client.get(address, headers={"Host": host}).status_code == 421
    assert client.post("/api/videos", content=b"video", headers={"Host": host, **RAW}).status_code == 421


def test_more_names_and_bare_addresses_can_be_allowed():
    from lipfd_jax.serving.access_control import _is_address

    assert {"box.example", "box.example:9"} <= list_allowed_hosts("10.0.0.2", 9, ["Box.example"])
    assert "10.0.0.2:9" in list_allowed_hosts("10.0.0.2", 9)
    assert "[fe80::1]:9" in list_allowed_hosts("fe80::1", 9)
    assert "localhost" in list_allowed_hosts("127.0.0.1", 80)
    assert "localhost" not in list_allowed_hosts("127.0.0.1", 81)
    assert all(map(_is_address, ["10.0.0.2:9", "10.0.0.2", "[fe80::1]:9", "[::1]"]))
    assert not any(map(_is_address, ["evil.example:9", "10.0.0.2.evil.example", "", "[", "1.2.3.4]"]))


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": OWN}, {"Origin": OWN, "Sec-Fetch-Site": "same-origin"}],
)
def test_programs_and_its_own_pages_may_post(serving, headers):
    assert serving().client.post("/api/videos", content=b"video", headers=RAW | headers).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},  # a page in a sandbox, such as the reports
        {"Origin": "http://127.0.0.1:8001"},
        {"Origin": "http://localhost:8000"},  # another of its names is another origin
        {"Origin": f"{OWN}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": OWN},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_pages_from_elsewhere_change_nothing(serving, headers):
    server = serving()
    key = server.upload(b"video").json()["id"]
    assert server.client.post("/api/videos", content=b"video", headers=RAW | headers).status_code == 403
    assert server.client.delete(f"/api/videos/{key}", headers=headers).status_code == 403
    assert server.left() == [key]


def test_no_answer_is_readable_elsewhere(serving):
    client = serving().client
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (client.get("/api/limits", headers=asked), client.options("/api/videos", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_has_its_policies(serving):
    server = serving()
    key = server.upload(b"video").json()["id"]
    server.state(key, "done")
    got = server.client.get
    answers = [
        got("/"),
        got("/nothing"),
        got("/openapi.json"),
        got("/", headers={"Host": "x"}),
        server.upload(b""),
    ]
    answers += [got(f"/api/videos/{key}/{name}") for name in ("report.html", "result.json", "video")]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in re.sub(r"style-src [^;]*", "", policy)
    for answer in answers[:-1]:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "sandbox" in answers[-1].headers["content-security-policy"]


def test_a_report_runs_the_scripts_of_the_project_and_no_others(serving):
    server = serving()
    key = server.upload(b"video").json()["id"]
    server.state(key, "done")
    policy = server.client.get(f"/api/videos/{key}/report.html").headers["content-security-policy"]
    texts = [read_template("lipfd_jax.detection", name) for name in ("charts.js", *SCRIPTS)]
    sums = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    assert re.search(r"script-src ([^;]*)", policy)[1].split() == [f"'sha256-{value}'" for value in sums]
    assert policy.endswith("sandbox allow-scripts")  # and so no way to the API, which has another origin
