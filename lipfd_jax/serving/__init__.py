"""Judges videos for a browser or a program on this machine: uploads, a queue, one worker, pages, an API."""
