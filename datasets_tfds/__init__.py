"""TFDS builders of the project and the light command that builds them."""
