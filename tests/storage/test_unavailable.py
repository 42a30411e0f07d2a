"""Storages that do not answer: recognised, waited for, and never taken for damaged data."""

import threading

import pytest

from lipfd_jax.storage.unavailable import Patience, StorageUnavailable, find_storage_trouble

BUCKET = "gs://bucket/data"


@pytest.mark.parametrize(
    "text",
    [
        "UNAVAILABLE: 503 Service Unavailable; reading gs://bucket/x.array_record at 0",
        "ReadRange() failed: 503 backend error",
        "DEADLINE_EXCEEDED: timeout",
        "Failed to fetch: Could not resolve host: storage.googleapis.com",
        "INTERNAL: HTTP error 429 Too Many Requests",
        "502 Bad Gateway",
        "Retry policy exhausted, with a last message of Unknown; reading gs://bucket/x; at byte 0",
        "Cannot connect to host storage.googleapis.com:443 [Temporary failure in name resolution]",
        "Connection reset by peer",
        "curl error [28]=Timeout was reached",
    ],
)
def test_messages_of_trouble_that_passes(text):
    found = find_storage_trouble(RuntimeError(text), "data")
    assert found.temporary
    assert not found.refused


@pytest.mark.parametrize(
    "text",
    [
        "Permission denied: 403 does not have storage.objects.get",
        "Permanent error, with a last message of x does not have storage.objects.get access to the object.",
        "UNAUTHENTICATED: Request had invalid authentication credentials.",
        "Forbidden: https://storage.googleapis.com/b",
    ],
)
def test_messages_of_refused_access(text):
    assert find_storage_trouble(RuntimeError(text), "data").refused


@pytest.mark.parametrize(
    ("error", "path"),
    [
        (RuntimeError("Corrupted at record 503"), BUCKET),
        (RuntimeError("hash mismatch; reading gs://bucket/x at byte 503"), BUCKET),
        (ValueError("no such field"), BUCKET),
        (FileNotFoundError("no TFDS build there"), BUCKET),
        (RuntimeError("record 503 of 5030"), "data"),
        (OSError(5, "Input/output error"), "data"),
        (MemoryError(), BUCKET),
    ],
)
def test_damage_and_other_errors_are_no_trouble_of_a_storage(error, path):
    assert find_storage_trouble(error, path) is None


def test_what_is_unknown_is_not_called_damage_in_a_bucket():
    assert not find_storage_trouble(
        RuntimeError("Permanent error; reading gs://bucket/x"), "gs:/bucket/x"
    ).temporary


def _failing(times, text="503 Service Unavailable"):
    left = iter(range(times))

    def read():
        if next(left, None) is not None:
            raise RuntimeError(f"UNAVAILABLE: {text}")
        return "read"

    return read


def test_reading_goes_on_after_waits_that_grow(caplog):
    slept, renewed = [], []
    patience = Patience(sleep=slept.append)
    assert patience.read(_failing(4), "record 3", BUCKET, lambda: renewed.append(1)) == "read"
    assert slept == [1, 2, 4]
    assert len(renewed) == 4
    assert "record 3: UNAVAILABLE: 503 Service Unavailable; trying again in 2 s" in caplog.text


def test_lasting_trouble_ends_with_its_reason_and_remedy():
    slept = []
    patience = Patience(sleep=slept.append)
    with pytest.raises(
        StorageUnavailable, match=r"record 3 can't be read: UNAVAILABLE.*7 times in 31 s.*not damaged"
    ):
        patience.read(_failing(99), "record 3", BUCKET)
    with pytest.raises(StorageUnavailable):  # just given up on: no new waits
        patience.read(_failing(99), "record 4", BUCKET)
    assert sum(slept) == 31


def test_refused_access_is_tried_once_more_and_names_the_permission():
    slept = []

    def read():
        raise RuntimeError("403 Forbidden: ci@x does not have storage.objects.list access")

    with pytest.raises(
        StorageUnavailable, match=r"needs the permission storage\.objects\.list for gs://bucket/data"
    ):
        Patience(sleep=slept.append).read(read, "x", BUCKET)
    assert slept == [1]


def test_threads_wait_together():
    slept = []
    patience, answers = Patience(sleep=slept.append), []
    down = threading.Event()

    def read():
        if not slept:
            down.wait(0.05)
            raise ConnectionResetError("Connection reset by peer")
        return "read"

    threads = [
        threading.Thread(target=lambda: answers.append(patience.read(read, "x", BUCKET))) for _ in range(8)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert answers == ["read"] * 8
    assert slept == [1]
