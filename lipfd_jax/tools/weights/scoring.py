"""Scores windows of clip records with a checkpoint that looks at frames alone."""

from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tqdm import tqdm

from lipfd_jax.data.clip_index import ClipEntry
from lipfd_jax.data.clip_records import decode_clip
from lipfd_jax.data.clip_windows import cut_window
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.evaluation.metrics.scores import ScoreRow
from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.kernels.dispatch import kernels_for, with_kernels
from lipfd_jax.models.inputs import PreparedInputs, prepare_crops
from lipfd_jax.models.lipfd import LipFD
from lipfd_jax.preprocessing.composite import resize_to_tile
from lipfd_jax.preprocessing.paper_windows import spread_starts
from lipfd_jax.vocabulary import WINDOWS_PER_CLIP, composite_name


def score_clips(
    model: LipFD, source: RecordReader, entries: Sequence[ClipEntry], *, count: int = WINDOWS_PER_CLIP
) -> Iterator[ScoreRow]:
    """Scores up to `count` windows of each clip, those that detection takes of it, and yields their rows.

    The model gets the frames of its `frame_numbers` as composites would hold them.
    """
    if model.config.encoder != "none":
        raise ValueError(f"{model.config.encoder}: needs whole composites; use lipfd evaluate")
    graph, state = nnx.split(model)
    inputs = model.config.inputs

    def score(state: nnx.State, frames: jax.Array) -> jax.Array:
        crops = prepare_crops(frames, inputs)
        image = jnp.zeros((len(frames), 0, 0, 3))
        output = map_chunks(
            lambda part: nnx.merge(graph, state)(*part), PreparedInputs(image, crops), "windows"
        )
        return jax.nn.sigmoid(output.logits)

    program = jax.jit(with_kernels(score, kernels_for(jax.local_devices(), "auto")))
    for entry in tqdm(entries, "clips", unit="clip", disable=None):
        starts, frames = _read_frames(source, entry, inputs.frame_numbers, inputs.face_side, count)
        padded = np.zeros((count, *frames.shape[1:]), np.uint8)  # one shape, one program
        padded[: len(frames)] = frames
        scores = np.asarray(program(state, padded))[: len(frames)]
        for number, (start, value) in enumerate(zip(starts, scores, strict=True)):
            yield _make_row(entry, number, start, float(value))


def _read_frames(
    source: RecordReader, entry: ClipEntry, numbers: Sequence[int], side: int, count: int
) -> tuple[list[int], np.ndarray]:
    """Returns start frames of windows, and their frames as tiles (windows, frames, 500, 500, 3)."""
    clip = decode_clip(source[entry.index])
    windows = [cut_window(clip, int(s), numbers, side) for s in spread_starts(clip.starts, count)]
    tiles = [[resize_to_tile(frame) for frame in window.frames] for window in windows]
    return [window.start_frame for window in windows], np.array(tiles, np.uint8)


def _make_row(entry: ClipEntry, number: int, start: int, score: float) -> ScoreRow:
    video = entry.video if not entry.part else f"{entry.video}.{entry.part}"
    return ScoreRow(
        path=composite_name(video, number),
        label=entry.label,
        score=score,
        video=video,
        source=entry.source,
        generator=entry.generator,
        window=number,
        start_frame=start,
    )
