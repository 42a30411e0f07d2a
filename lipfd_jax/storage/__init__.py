"""Storage: atomic files and folders, locks, checksums, errors of the disk."""
