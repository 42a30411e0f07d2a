"""Drawn talking heads and their forgeries: a demonstration without downloads."""
