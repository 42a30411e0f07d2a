"""The AVLips builder."""
