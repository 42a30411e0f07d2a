"""Detection of lip-sync forgeries in videos: a result with its evidence and its reasons."""
