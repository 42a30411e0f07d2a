"""The server from outside: uploads and their limits, states, results, what stays on the disk, the pages."""

import re

import pytest

from lipfd_jax.serving import page

RAW = {"Content-Type": "application/octet-stream"}
HOSTILE = "../../<script>alert(1)</script>\u202e.mp4"


def test_from_upload_to_report(serving):
    server = serving()
    taken = server.upload(b"video", name="a.mp4")
    assert taken.status_code == 202
    video = server.state(taken.json()["id"], "done")
    assert (video["name"], video["bytes"], video["before"]) == ("a.mp4", 5, 0)
    assert video["verdict"]["title"] == "No evidence found"
    assert "proves nothing" in video["verdict"]["caveat"]
    report = server.client.get(video["report"])
    assert report.text == "<p>a report</p>"
    assert "content-disposition" not in report.headers
    assert (
        "attachment"
        in server.client.get(video["report"], params={"save": True}).headers["content-disposition"]
    )
    assert server.client.get(video["result"]).json() == {}
    part = server.client.get(f"/api/videos/{video['id']}/video", headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"id", "video/mp4")


def test_it_answers_and_tells_how_far_it_is_while_a_video_is_analysed(serving):
    server = serving()
    first = server.upload(b"wait").json()["id"]
    assert server.detector.begun.wait(5)
    second = server.upload(b"video").json()
    assert second["state"] == "waiting"
    assert second["before"] == 1
    video = server.state(first, "running")
    assert (video["part"], video["done"], video["of"]) == ("looking", 3.0, 12.0)
    assert video["report"] is None
    assert server.client.get(f"/api/videos/{first}/report.html").status_code == 404
    server.detector.go.set()
    server.state(second["id"], "done")


def test_what_cannot_be_analysed_gives_its_reason(serving):
    server = serving()
    key = server.upload(b"bad").json()["id"]
    video = server.state(key, "failed")
    assert video["reason"] == "damaged <b>"
    assert video["verdict"] is None
    assert server.client.get(f"/api/videos/{key}/result.json").status_code == 404


@pytest.mark.parametrize("pieces", [[b"0" * 1001], [b"0" * 600] * 3, [b"0" * 400] * 1000])
def test_a_large_file_is_refused_by_what_comes_and_not_by_what_it_says(serving, pieces):
    server = serving(megabytes=0.001)
    refused = server.upload(iter(pieces), **{"Transfer-Encoding": "chunked"})
    assert refused.status_code == 413
    assert "0.001 MB" in refused.json()["detail"]
    assert server.left() == []
    assert server.upload(b"0" * 1000).status_code == 202


def test_a_length_that_is_too_large_is_refused_before_anything_is_sent(serving):
    server = serving(megabytes=0.001)

    def never():
        yield b""
        raise AssertionError("it was read")

    refused = server.client.post("/api/videos", content=never(), headers=RAW | {"Content-Length": "1001"})
    assert refused.status_code == 413


def test_empty_and_odd_uploads_are_refused_and_leave_nothing(serving):
    server = serving()
    assert server.upload(b"").status_code == 400
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""):
        assert server.upload(b"video", **{"Content-Type": kind}).status_code == 415
    assert server.left() == []


def test_a_full_queue_refuses_and_gives_room_again(serving):
    server = serving(queue=2)
    server.upload(b"wait")
    assert server.detector.begun.wait(5)
    waiting = [server.upload(b"video").json()["id"] for _ in range(2)]
    refused = server.upload(b"video")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert server.client.delete(f"/api/videos/{waiting[0]}").status_code == 204
    assert server.upload(b"video").status_code == 202


def test_results_go_when_there_are_too_many(serving):
    server = serving(kept=2)
    keys = [server.upload(b"video").json()["id"] for _ in range(4)]
    server.state(keys[-1], "done")
    assert server.client.get(f"/api/videos/{keys[0]}").status_code == 404
    assert server.left() == sorted(keys[2:])


def test_a_running_video_can_be_removed(serving):
    server = serving()
    key = server.upload(b"wait").json()["id"]
    assert server.detector.begun.wait(5)
    assert server.client.delete(f"/api/videos/{key}").status_code == 204
    assert server.detector.stopped == [server.folder / key / "video"]
    assert server.client.get(f"/api/videos/{key}").status_code == 404
    assert server.client.delete(f"/api/videos/{key}").status_code == 404
    after = server.upload(b"video").json()["id"]
    server.state(after, "done")
    assert server.left() == [after]


def test_names_are_shown_and_never_paths(serving):
    server = serving()
    video = server.upload(b"video", name=HOSTILE).json()
    assert video["name"] == "script>\\u202e.mp4"
    assert re.fullmatch("[0-9a-f]{32}", video["id"])
    server.state(video["id"], "done")
    files = [path.relative_to(server.folder).as_posix() for path in server.folder.rglob("*")]
    assert sorted(files) == [
        video["id"],
        *(f"{video['id']}/{n}" for n in ("report.html", "result.json", "video")),
    ]
    for key in ("..", "%2e%2e", "..%2f..%2fetc%2fpasswd", f"{video['id']}%2f..", "x" * 65):
        assert server.client.get(f"/api/videos/{key}").status_code in (404, 422)


def test_no_page_holds_inline_scripts_or_asks_anything_of_the_net(serving):
    server = serving()
    html = server.client.get("/").text
    assert re.findall(r"<script(?! src=\"serving.js\" defer></script>)", html) == []
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", html)
    script = server.client.get("/serving.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|https?://", script.text
    )
    assert server.client.get("/serving.css").headers["content-type"].startswith("text/css")
    for address in ("/docs", "/redoc", "/static/../../etc/passwd", "/.git/config"):
        assert server.client.get(address).status_code == 404


def test_the_api_describes_itself(serving):
    described = serving().client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/limits",
        "/api/videos",
        "/api/videos/{key}",
        "/api/videos/{key}/report.html",
        "/api/videos/{key}/result.json",
        "/api/videos/{key}/video",
    }
    upload = described["paths"]["/api/videos"]["post"]
    assert "application/octet-stream" in upload["requestBody"]["content"]
    assert {"202", "413", "415", "503"} <= set(upload["responses"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.webm", "video/webm"),
        ("A.MP4", "video/mp4"),
        ("page.html", "video/mp4"),
        ("picture.svg", "video/mp4"),
        ("data:video/\u6f22,x", "video/mp4"),
        ("", "video/mp4"),
    ],
)
def test_videos_are_served_as_videos_only(name, expected):
    assert page.guess_media_type(name) == expected
