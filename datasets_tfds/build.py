"""Builds and verifies a data set of LipFD records without TensorFlow."""

import functools
import json
import os
import pathlib
from typing import Any

import tensorflow_datasets as tfds
from google.protobuf import json_format

from datasets_tfds import input_fingerprint, report
from datasets_tfds.avlips.avlips_dataset_builder import Builder
from datasets_tfds.build_settings import BuildError, BuildSettings
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.layouts import find_archive
from lipfd_jax.listing.names import escape_bytes
from lipfd_jax.storage import atomic_folder
from lipfd_jax.storage.output_folder import check_unused
from lipfd_jax.storage.unavailable import is_remote

# What TFDS raises for a dataset_info.json that is damaged.
_DAMAGED_INFO = (
    json_format.ParseError,
    json.JSONDecodeError,
    UnicodeDecodeError,
    KeyError,
    AttributeError,
)


def build(
    *,
    manual_dir: str,
    data_dir: str,
    settings: BuildSettings,
    file_format: str | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    beam_pipeline_options: str | None = None,
) -> Builder:
    """Builds a data set, unless a finished build with the same settings and input is there.

    An interrupted build resumes.

    Args:
      manual_dir: folder or archive with the input data, see `listing.layouts.list_layout`.
      data_dir: TFDS data_dir; the records go to data_dir/avlips/CONFIG/VERSION.
      settings: decide the content of the records.
      file_format: array_record (default), or tfrecord, which needs TensorFlow.
      overwrite: replaces a finished build; the old one stays until the new one is complete.
      workers: worker processes, one per core by default; 0 builds in this process.
      beam_pipeline_options: builds on Apache Beam, with these comma-separated options.

    Returns:
      The builder of the finished data set.

    Raises:
      BuildError: the finished build has other settings or input, or is damaged.
      ClipError: the input has no usable clips.
      ValueError: a setting is invalid.
    """
    _check_data_dir(data_dir)
    place, root = pathlib.Path(manual_dir), pathlib.Path(data_dir)
    folder = root / Builder.name / settings.name / str(Builder.VERSION)
    replacing = _replacement_place(root, settings)
    atomic_folder.recover_folder(folder, replacing)
    prepare = functools.partial(
        _prepare,
        place=place,
        settings=settings,
        file_format=file_format,
        workers=workers,
        beam=beam_pipeline_options,
    )
    if overwrite and folder.exists():
        _check_places(place, root, settings)
        what, inside = "a build of the same config with --overwrite", folder.relative_to(root)
        with atomic_folder.replace_folder(folder, what, place=replacing, inside=inside) as temporary:
            prepare(_open_builder(settings, temporary), building=root / "building")
    else:
        builder = _open_builder(settings, root)
        if builder.is_prepared():
            _check_finished(builder, folder, place, file_format)
            print(f"{folder} is already built; --overwrite replaces it")
            return builder
        _check_places(place, root, settings)
        prepare(builder)
    print(f"built {folder}")
    return _open_builder(settings, root)


def verify_build(data_dir: str, settings: BuildSettings) -> None:
    """Compares the shards of a finished build with the checksums in its report, and prints a line.

    Raises:
      BuildError: there is no report, or a shard is missing or changed.
    """
    folder = pathlib.Path(data_dir) / Builder.name / settings.name / str(Builder.VERSION)
    _raise_damaged(report.find_damaged_shards(folder))
    print(f"{folder}: all {len(report.read_report(folder)['shards'])} shards match their checksums")


def _check_data_dir(data_dir: str) -> None:
    """Raises BuildError for a name that records can't be built under."""
    root = str(pathlib.Path(data_dir))
    if set(root) & set("*?["):
        raise BuildError(f"--data_dir={root}: TFDS reads *, ? and [ as patterns; name a folder without them")
    if (shown := escape_bytes(root)) != root:
        raise BuildError(f"--data_dir={shown}: not UTF-8, which shards' paths are; name another folder")
    if is_remote(data_dir):
        raise BuildError(
            f"--data_dir={data_dir}: records are built on a disk of this machine; copy them there afterwards"
        )


def _check_places(place: pathlib.Path, root: pathlib.Path, settings: BuildSettings) -> None:
    """Raises BuildError or ValueError, before TFDS does, where input or output can't be used."""
    try:
        find_archive(place, settings.layout, settings.clips_csv)
    except ClipError as error:
        raise BuildError(str(error)) from error
    check_unused(root, "a build")


def _replacement_place(root: pathlib.Path, settings: BuildSettings) -> pathlib.Path:
    """Returns the folder in which a build with --overwrite is made, next to unfinished builds."""
    return root / "building" / f"replacing-{settings.name}-{Builder.VERSION}"


def _open_builder(settings: BuildSettings, data_dir: pathlib.Path) -> Builder:
    """Returns the builder for a data_dir. Raises BuildError for a damaged build there."""
    try:
        return Builder(config=settings.name, settings=settings, data_dir=str(data_dir))
    except _DAMAGED_INFO as error:
        folder = data_dir / Builder.name / settings.name
        raise BuildError(
            f"{folder}: dataset_info.json can't be read ({error}); the build is damaged, build again with "
            "--overwrite"
        ) from error


def _prepare(
    builder: Builder,
    *,
    place: pathlib.Path,
    settings: BuildSettings,
    file_format: str | None,
    workers: int | None,
    beam: str | None,
    building: pathlib.Path | None = None,
) -> None:
    """Builds the records of a builder that is not prepared."""
    builder.workers = (os.cpu_count() or 1) if workers is None else workers
    builder.building = building
    if place.is_file():
        builder.archive, place = place, place.parent
    config = tfds.download.DownloadConfig(manual_dir=place, beam_options=_parse_beam_options(beam))
    builder.download_and_prepare(download_config=config, file_format=file_format)


def _parse_beam_options(given: str | None) -> Any:
    if not given:
        return None
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions([f"--{option}" for option in given.split(",")])


def _check_finished(
    builder: Builder, folder: pathlib.Path, place: pathlib.Path, file_format: str | None
) -> None:
    """Raises BuildError where a finished build has other settings or input, or lacks a shard."""
    _check_settings(builder, folder, file_format)
    fingerprint = report.read_report(folder).get("inputs")
    if fingerprint is None:
        print(f"{folder} was built by an earlier version, which recorded no fingerprint of its input")
    else:
        input_fingerprint.check_input(fingerprint, place, builder.settings, builder.parts_root)
    _raise_damaged(report.find_damaged_shards(folder, checksums=False))


def _check_settings(builder: Builder, folder: pathlib.Path, file_format: str | None) -> None:
    different = report.compare_settings(report.read_report(folder)["settings"], builder.settings)
    if file_format and builder.info.file_format.value != file_format:
        different["file_format"] = (builder.info.file_format.value, file_format)
    if different:
        changes = "; ".join(f"{name}: {old!r}, asked for {new!r}" for name, (old, new) in different.items())
        raise BuildError(
            f"{folder} was built with other settings ({changes}); choose another data_dir or add --overwrite"
        )


def _raise_damaged(lines: list[str]) -> None:
    if lines:
        raise BuildError("\n".join(["damaged shards, build again with --overwrite:", *lines]))
