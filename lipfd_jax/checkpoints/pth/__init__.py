"""Reads PyTorch's .pth files without PyTorch and without executing anything in them."""
