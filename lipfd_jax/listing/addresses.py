"""Addresses given in place of files: nothing is fetched, and messages say how to."""

import os
import re
from urllib.parse import unquote

# A path has lost one of the two slashes. One letter is no scheme but a drive of Windows.
_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):/{1,3}(.+)|(www\.[^/]+/.*)")
_PAGE = "save the video as a file first: curl -LO '{}', or for a page that plays it: yt-dlp '{}'"
_STREAM = "record it first, for instance a minute: ffmpeg -i '{}' -t 60 -c copy clip.mkv"
_REMEDIES = {
    "http": _PAGE,
    "https": _PAGE,
    "s3": "copy it first: aws s3 cp '{}' .",
    "gs": "copy it first: gcloud storage cp '{}' .",
    **dict.fromkeys(("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "mms", "hls"), _STREAM),
}


def explain_address(name: str | os.PathLike) -> str:
    """Returns why an address is not taken and how to fetch it; empty for the path of a file.

    A path that exists is never an address, whatever it looks like.
    """
    found = _ADDRESS.fullmatch(os.fspath(name))
    if not found or os.path.lexists(name):
        return ""
    scheme, rest = (found[1].lower(), found[2]) if found[1] else ("https", found[3])
    if scheme == "file":
        return f"files only, not addresses: give the path {_find_local_path(rest)}"
    remedy = _REMEDIES.get(scheme, "copy it to this machine first")
    return f"files only, not addresses; {remedy.replace('{}', f'{scheme}://{rest}')}"


def _find_local_path(rest: str) -> str:
    """The path that a file address names; its host, if any, is this machine."""
    path = unquote(rest.removeprefix("localhost/"))
    return path if path.startswith("/") else f"/{path}"
