"""Experiments: one file each, read by train.py."""
