"""Whether web browsers can play a video file, by its container and codecs."""

from lipfd_jax.detection.result import FileFacts

# ffmpeg's names of containers that browsers refuse, as people call them; others are called as ffmpeg does.
_CONTAINERS = {
    "matroska,webm": "MKV",
    "avi": "AVI",
    "mpegts": "MPEG-TS",
    "mpeg": "MPEG-PS",
    "flv": "FLV",
    "asf": "WMV",
    "mxf": "MXF",
    "dv": "DV",
}
_PLAYED = ("mov,mp4,m4a,3gp,3g2,mj2", "ogg")
_PICTURES = {"h264", "vp8", "vp9", "av1", "libdav1d"}
_WEBM = {"vp8", "vp9", "av1", "libdav1d"}  # matroska with these is taken for webm
_SOUNDS = {"aac", "mp3", "mp3float", "opus", "vorbis", "flac"}
_NAMES = {"hevc": "H.265 (HEVC)", "mpeg4": "MPEG-4 Part 2", "mpeg2video": "MPEG-2", "mjpeg": "Motion JPEG"}
_COLOURS = ("yuv420p", "yuvj420p")  # of H.264; browsers differ in more bits and finer colours


def describe_obstacles(file: FileFacts) -> str:
    """Names what keeps most browsers from showing a file; "" where nothing known does."""
    found = [_describe_container(file), _describe_picture(file)]
    return " and ".join(obstacle for obstacle in found if obstacle)


def has_mute_sound(file: FileFacts) -> bool:
    """Whether browsers show the file but can't play its sound."""
    return file.sound is not None and "file" not in file.sound and file.sound.get("codec") not in _SOUNDS


def _describe_container(file: FileFacts) -> str:
    webm = file.container == "matroska,webm" and file.video.get("codec") in _WEBM
    if file.container in _PLAYED or webm:
        return ""
    return f"its container ({_CONTAINERS.get(file.container, file.container) or 'unknown'})"


def _describe_picture(file: FileFacts) -> str:
    codec, colours = file.video.get("codec"), file.video.get("pixel_format")
    if codec not in _PICTURES:
        return f"its picture's codec ({_NAMES.get(str(codec), codec)})"
    if codec == "h264" and colours not in _COLOURS:
        return f"its picture's format ({colours})"
    return ""
