"""From a video and its sound to composites: a mel picture over five frames."""
