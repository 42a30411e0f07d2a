"""TFDS builder of LipFD records, and the build of its data sets without TensorFlow."""
