"""Files, folders and locks: claimed, written, replaced."""
