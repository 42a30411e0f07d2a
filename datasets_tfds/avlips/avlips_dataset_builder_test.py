"""TFDS's own test of the builder, on clips of a few kilobytes made by make_dummy_data."""

import pytest

pytest.importorskip("tensorflow", reason="TFDS's test case reads records with TensorFlow")
pytest.importorskip("dill", reason="TFDS's test case needs dill")

import tensorflow_datasets as tfds

from datasets_tfds.avlips import avlips_dataset_builder


class BuilderTest(tfds.testing.DatasetBuilderTestCase):
    """Builds the configs that encode differently, as tfrecord, which TensorFlow can read."""

    DATASET_CLASS = avlips_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ("avlips", "avlips-composite", "avlips-lossy")
    SPLITS = {"train": 32, "validation": 16, "test": 16}  # noqa: RUF012 TFDS's way

    def _make_builder(self, config=None):
        builder = self.dataset_class(data_dir=self.tmp_dir, config=config, file_format="tfrecord")
        builder.workers = 0
        return builder


if __name__ == "__main__":
    tfds.testing.test_main()
