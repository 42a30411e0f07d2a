"""Exports a checkpoint for other engines: a program (StableHLO, ONNX or int8), its weights and a
description.
"""
