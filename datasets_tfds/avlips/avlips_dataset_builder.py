"""TFDS builder of LipFD records from AVLips, any labelled videos, or the official validation composites."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from datasets_tfds import input_fingerprint, report, resume, shards, split_notes, splits
from datasets_tfds.build_settings import BuildError, BuildSettings, named_settings
from datasets_tfds.records import record_features
from lipfd_jax.faces.framing_check import check_framing
from lipfd_jax.listing.clips import Clip, Listing
from lipfd_jax.listing.layouts import LAYOUTS
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.storage.locks import lock_folder

MANUAL = "\nThe contents of manual_dir depend on the config's layout:\n" + "".join(
    f"{name}: {layout.instructions}\n" for name, layout in LAYOUTS.items()
)


@dataclasses.dataclass(eq=False)
class Config(tfds.core.BuilderConfig):
    """A config name and its settings."""

    settings: BuildSettings = dataclasses.field(default_factory=BuildSettings)


class Builder(FileReaderBuilder):
    """Builds in parallel processes and resumes interrupted builds, or builds on Apache Beam.

    `settings` replaces those of the config, for another split, salt or CSV; layout, encoding and window
    convention must stay those of the config's name. `workers` is the number of worker processes; 0 builds in
    this one.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First version."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = MANUAL
    BUILDER_CONFIGS: ClassVar = [
        Config(name=s.name, description=s.description, settings=s) for s in named_settings()
    ]
    workers: int = os.cpu_count() or 1
    building: pathlib.Path | None = None
    archive: pathlib.Path | None = None  # input file that replaces the contents of manual_dir

    def __init__(
        self, *, settings: BuildSettings | None = None, file_format: str | None = None, **kwargs: Any
    ) -> None:
        self._given = settings
        super().__init__(file_format=file_format, **kwargs)
        if settings is not None and settings.name != self.builder_config.name:
            raise ValueError(f"settings of {settings.name!r} given to config {self.builder_config.name!r}")
        if file_format is None and not self.is_prepared():
            self.info.set_file_format("array_record", override=True)

    @property
    def settings(self) -> BuildSettings:
        return self._given or self.builder_config.settings

    @property
    def work_dir(self) -> pathlib.Path:
        """Folder with the parts of an unfinished build."""
        name = f"{self.name}-{self.builder_config.name}-{self.version}"
        return self.parts_root / name

    @property
    def parts_root(self) -> pathlib.Path:
        """Folder of unfinished builds and unpacked archives: `building`, by default data_dir/building."""
        return self.building or pathlib.Path(self.data_dir_root) / "building"

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=record_features(self.settings),
            supervised_keys=None,
            homepage="https://github.com/AaronComo/LipFD",
        )

    def _download_and_prepare(
        self, dl_manager: tfds.download.DownloadManager, download_config: tfds.download.DownloadConfig
    ) -> None:
        with lock_folder(self.work_dir, "a build of the same config"):
            self._remove_abandoned()
            place = self.archive or dl_manager.manual_dir
            found = input_fingerprint.list_input(place, self.settings, self.parts_root)
            assigned = splits.assign_splits(found.clips, self.settings)
            print(f"{self.builder_config.name} from {place}:\n{found.summary()}", flush=True)
            if not found.clips:
                raise BuildError(f"{place}: no record could be made, as no video can be used")
            notes = self._print_notes(found, assigned)
            planned = shards.plan_shards(found.clips, assigned, self.settings, self.data_dir)
            if download_config.beam_runner or download_config.beam_options:
                written = self._write_on_beam(planned, download_config)
            else:
                written = self._write_here(planned)
            made_of = input_fingerprint.fingerprint_input(place, found, self.settings)
            left_out = [item.video for item in found.clips if item.video not in assigned]
            self._finish(found, made_of, written, left_out, notes)

    def _print_notes(self, found: Listing, assigned: Mapping[str, str]) -> tuple[str, ...]:
        """Prints and returns what should be known before hours go into the build."""
        notes = (*found.all_notes(), *split_notes.find_split_notes(found.clips, assigned, self.settings))
        notes += self._check_framing([clip for clip in found.clips if isinstance(clip, Clip)])
        for note in notes:
            print(f"  note: {escape_controls(note)}", flush=True)
        return notes

    def _check_framing(self, clips: Sequence[Clip]) -> tuple[str, ...]:
        if not clips or self.settings.crop == "faces":
            return ()
        paper = self.settings.window_convention == "paper"
        remedy = "build with --crop=faces" if paper else "build paper windows with --crop=faces"
        return check_framing(clips, f"{remedy}, or crop them yourself")

    def _remove_abandoned(self) -> None:
        """Removes folders of killed builds: TFDS writes to incomplete.X_VERSION and renames it at the end."""
        mine = pathlib.Path(self.data_dir)
        for folder in mine.parent.glob(f"incomplete.*_{self.version}"):
            if folder != mine:
                shutil.rmtree(folder)

    def _write_here(self, planned: list[shards.Shard]) -> list[shards.WrittenShard]:
        items = [item for shard in planned for item in shard.items]
        outcomes = resume.finish_videos(items, self.settings, self.work_dir, self.workers)
        source = shards.produce_from_parts(self.settings, self.work_dir, outcomes)
        return [shards.write_shard(shard, source, self.info.file_format.value) for shard in planned]

    def _write_on_beam(
        self, planned: list[shards.Shard], config: tfds.download.DownloadConfig
    ) -> list[shards.WrittenShard]:
        return shards.write_with_beam(
            planned,
            self.settings,
            self.info.file_format.value,
            runner=config.beam_runner,
            options=config.beam_options,
        )

    def _finish(
        self,
        found: Listing,
        made_of: dict[str, str],
        written: list[shards.WrittenShard],
        left_out: list[str],
        notes: Sequence[str],
    ) -> None:
        """Renames and checks the shards and writes the report, still in TFDS's temporary folder."""
        folder = pathlib.Path(self.data_dir)
        made = report.describe_build(found, written, self.settings, left_out, notes)
        made["inputs"] = made_of
        if not made["records"]:
            raise BuildError(f"no record could be made:\n{report.summarize_build(made)}")
        infos = shards.rename_shards(written, self._get_filename_template, self.data_dir)
        made["shards"] = report.check_records(folder, infos, written, self.settings)
        report.write_report(made, folder)
        self.info.set_splits(tfds.core.SplitDict(infos))
        print(report.summarize_build(made), flush=True)

    def _post_download_and_prepare_hook(self) -> None:
        shutil.rmtree(self.work_dir, ignore_errors=True)
