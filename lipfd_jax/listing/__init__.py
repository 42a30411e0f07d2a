"""What there is to work on: clips, composites and archives in folders, before any is opened."""
