"""Kernels: how devices compute the model's operations, one operation per file, its plain definition first.

`dispatch` selects the variant of each operation in a program.
"""
