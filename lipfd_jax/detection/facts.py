"""Facts about a media file that a result records: its sum, its streams; and how it is told from others."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av

from lipfd_jax.detection.result import FileFacts
from lipfd_jax.faces.scan import Scan
from lipfd_jax.preprocessing.containers import open_container


def sha256(path: Path) -> str:
    """The SHA-256 of a file, read piece by piece."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(sums: Mapping[str, str], fingerprint: str, settings: Mapping[str, Any]) -> str:
    """The same for the same files, weights, calibration and settings."""
    text = json.dumps([dict(sums), fingerprint, dict(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_facts(path: Path, sound: Path | None, scan: Scan, sums: Mapping[str, str]) -> FileFacts:
    """What a result says of the file. Raises ClipError."""
    with open_container(path) as container:
        name = container.format.name
        video = _stream_facts(container.streams.best("video"))
        track = container.streams.best("audio")
        facts = None if track is None else _stream_facts(track)
    if sound is not None:
        with open_container(sound) as container:
            facts = {"file": sound.name, "sha256": sums["sound"]}
            facts |= _stream_facts(container.streams.best("audio"))
    return FileFacts(
        name=path.name,
        sha256=sums["video"],
        bytes=path.stat().st_size,
        seconds=round(scan.end - float(scan.times[0]), 3),
        frames=len(scan.times),
        width=scan.width,
        height=scan.height,
        fps=round(scan.fps, 3),
        container=name,
        video=video,
        sound=facts,
    )


def _stream_facts(stream: av.stream.Stream) -> dict[str, Any]:
    context = stream.codec_context
    facts: dict[str, Any] = {"codec": context.name, "bit_rate": context.bit_rate or None}
    if stream.type == "video":
        return {**facts, "pixel_format": context.pix_fmt}
    return {**facts, "rate": context.sample_rate, "channels": context.channels}
