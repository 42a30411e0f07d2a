"""Languages of tracks: codes of two and of three letters, old and new, as one code."""

import re

import av

# Two letters, and the older of two codes of three letters, by the newer code of three letters.
_LANGUAGES = {
    "de ger": "deu", "en": "eng", "fr fre": "fra", "es": "spa", "it": "ita", "pt": "por", "nl dut": "nld",
    "ru": "rus", "uk": "ukr", "pl": "pol", "cs cze": "ces", "sk slo": "slk", "ro rum": "ron", "hu": "hun",
    "el gre": "ell", "tr": "tur", "sv": "swe", "da": "dan", "no": "nor", "nb": "nob", "fi": "fin",
    "zh chi": "zho", "ja": "jpn", "ko": "kor", "ar": "ara", "he": "heb", "fa per": "fas", "hi": "hin",
    "bg": "bul", "hr": "hrv", "sr": "srp", "sl": "slv", "sq alb": "sqi", "mk mac": "mkd", "ka geo": "kat",
    "hy arm": "hye", "is ice": "isl", "eu baq": "eus", "cy wel": "cym", "ca": "cat", "vi": "vie",
    "th": "tha", "id": "ind", "ms may": "msa", "my bur": "mya", "bo tib": "bod", "mi mao": "mri",
}  # fmt: skip
_NEWER = {old: new for olds, new in _LANGUAGES.items() for old in olds.split()}


def read_language(stream: av.stream.Stream) -> str:
    """The language of a stream as its newer code of three letters; "" for none."""
    return normalise_language(stream.metadata.get("language", ""))


def normalise_language(code: str) -> str:
    """Returns the newer code of three letters of a language such as "de", "ger" or "de-AT"; "" for "und"."""
    base = re.split(r"[-_]", code.strip().lower())[0]
    return "" if base == "und" else _NEWER.get(base, base)
