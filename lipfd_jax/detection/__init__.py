"""One video in, a result with its reasons out."""
