"""Mel power and decibels equal librosa's to the bit."""

import librosa
import numpy as np
import pytest

from lipfd_jax.preprocessing.mel import BANDS, mel_columns, mel_frequencies, mel_power, to_decibels


@pytest.mark.parametrize("length", [2048, 2049, 20000, 99_999])
@pytest.mark.parametrize("level", [0.0, 1e-6, 0.1, 1e6])
def test_power_and_decibels_are_librosas(length, level):
    samples = np.random.default_rng(length).normal(0, level, length).astype(np.float32)
    expected = librosa.feature.melspectrogram(
        y=samples, sr=22050, n_fft=2048, hop_length=512, n_mels=128, center=False
    )
    found = mel_power(samples)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(to_decibels(found), librosa.power_to_db(expected, ref=np.min))


@pytest.mark.parametrize("samples", [np.zeros(4096, np.int16), np.full(4096, np.nan, np.float32)])
def test_what_is_no_sound_is_refused(samples):
    with pytest.raises(ValueError, match="expected float32"):
        mel_power(samples)


def test_frequencies_are_librosas():
    for count, highest in ((BANDS, 11025.0), (BANDS + 2, 11025.0), (40, 8000.0)):
        np.testing.assert_array_equal(
            mel_frequencies(count, highest), librosa.mel_frequencies(count, fmin=0, fmax=highest)
        )


@pytest.mark.parametrize(
    ("begin", "end", "sound_start", "columns"),
    [
        (0.0, 0.2, 0.0, (0, 9)),  # five frames at 25 a second: 8.6 columns
        (4.0, 4.2, 0.0, (172, 181)),
        (0.0, 0.2, 0.1, (-4, 4)),  # the sound begins later
        (1.0, 1.001, 0.0, (43, 44)),  # too short for a column: it gets one
    ],
)
def test_columns_are_of_the_time_in_which_a_window_is_shown(begin, end, sound_start, columns):
    assert mel_columns(begin, end, sound_start) == columns
