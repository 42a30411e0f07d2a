"""What a build raises when it is not what it should be."""


class BuildError(RuntimeError):
    """A build that is not what it should be; the message says what to do."""
