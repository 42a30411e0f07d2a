"""A checkpoint as a program for other engines: StableHLO or ONNX, with its weights and what they are."""
