"""Texts of a detection's page: its evidence in sentences, a text to quote, facts of file and model."""

from typing import Any

from lipfd_jax.detection.result import Result
from lipfd_jax.detection.texts import UNCALIBRATED, format_number, format_time


def describe_evidence(result: Result) -> list[str]:
    """Describes the evidence in sentences, with the error rates measured at the threshold."""
    found, rates = result.evidence, result.error_rates
    log_ratio, probability = found.log10_likelihood_ratio, found.probability
    if found.score is None:
        return []
    if rates is None or log_ratio is None or probability is None:
        uncalibrated = [UNCALIBRATED] if UNCALIBRATED in result.notes else []
        return [f"Score {format_number(found.score, 3)} between 0 (real) and 1 (forged).", *uncalibrated]
    ratio = 10**log_ratio
    likelier = (
        f"{format_number(ratio)} times likelier"
        if ratio >= 1
        else f"{format_number(1 / ratio)} times less likely"
    )
    return [
        f"Such scores are {likelier} from a forgery of the known kinds than from a real video (as far as "
        f"{rates.videos} videos can tell).",
        f"If {100 * rates.prior:.0f} % of such videos were forged, the probability that this one is would be "
        f"{100 * probability:.0f} %; where forgeries are rarer, the probability is lower.",
        f"At its threshold the detector called {100 * rates.false_positive_rate:.1f} % of real videos forged "
        f"and missed {100 * rates.false_negative_rate:.1f} % of forgeries; on other material it errs more. "
        f"That was measured on {rates.videos} videos, real ones of {rates.sources_real} sources and forged "
        f"ones of {rates.sources_fake}: {rates.data}.",
    ]


def list_further_notes(result: Result) -> list[str]:
    """Notes besides the one on calibration, which stands with the score."""
    return [note for note in result.notes if note != UNCALIBRATED]


def make_quote(result: Result) -> str:
    """Makes a short text to copy."""
    words = result.words
    lines = [
        f"{result.file.name} (SHA-256 {result.file.sha256}): {words.title}. {words.meaning}",
        *describe_evidence(result),
        *(f"Warning: {caution.text} {caution.effect}" for caution in result.cautions),
        *(f"Note: {note}" for note in list_further_notes(result)),
        words.caveat,
        f"lipfd-jax {result.versions['lipfd-jax']}, checkpoint {_name_weights(result)}, {result.finished}.",
    ]
    return "\n".join(lines)


def _name_weights(result: Result) -> str:
    name, fingerprint = result.checkpoint["name"], result.checkpoint["fingerprint"]
    return f"{name}, weights {fingerprint}" if name else fingerprint


def list_facts(result: Result) -> list[tuple[str, str]]:
    """Names and values of the file, the model and the settings."""
    file, checkpoint = result.file, result.checkpoint
    step = f", step {checkpoint['step']}" if checkpoint["step"] else ""  # a converted one has none
    model = f"{checkpoint['encoder']} + {checkpoint['backbone']}"
    sound = "none"
    if file.sound:
        sound = f"{file.sound['codec']}, {file.sound['rate']} Hz, {file.sound['channels']} channels"
        sound += _describe_choice(file.sound)
    name = f"{checkpoint['name']} (ships with lipfd-jax), " if checkpoint["name"] else ""
    return [
        ("file", f"{file.name}, {file.bytes:,} bytes, {format_time(file.seconds)}"),
        ("SHA-256", file.sha256),
        (
            "picture",
            f"{file.video['codec']}, {file.width}x{file.height}, {format_number(file.fps)} frames a second"
            + _describe_choice(file.video),
        ),
        ("sound", sound),
        ("checkpoint", f"{name}{checkpoint['fingerprint']}, {checkpoint['origin']}{step}"),
        ("model", f"{model}, {checkpoint['inputs']} inputs, {checkpoint['precision']}"),
        (
            "calibration",
            "fitted on " + checkpoint["calibration"]["data"] if checkpoint["calibration"] else "none",
        ),
        ("settings", ", ".join(f"{name} {value}" for name, value in result.settings.items())),
        ("versions", ", ".join(f"{name} {value}" for name, value in result.versions.items())),
        ("judged", f"{result.started} to {result.finished}"),
        ("command", " ".join(result.command)),
    ]


def _describe_choice(stream: dict[str, Any]) -> str:
    """Which of several tracks a stream is, and which of its channels are used."""
    notes = ""
    if stream.get("tracks", 1) > 1:
        language = f" ({stream['language']})" if stream.get("language") else ""
        notes += f", track {stream['track']} of {stream['tracks']}{language}"
    if stream.get("channels", 1) > 1:
        notes += f", {stream.get('used', '')}"
    return notes
