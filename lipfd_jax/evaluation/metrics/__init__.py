"""Scores files, and the metrics computed from them."""
