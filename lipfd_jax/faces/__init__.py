"""Faces in videos: detected on a few frames a second, tracked, and cropped as in the training clips."""
