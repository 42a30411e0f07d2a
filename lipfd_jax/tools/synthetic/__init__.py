"""Drawn talking heads and their forgeries, for a demonstration that needs no download."""
