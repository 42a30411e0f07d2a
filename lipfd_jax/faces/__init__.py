"""Faces in videos: found on a few frames a second, followed, and cut out framed like the training clips."""
