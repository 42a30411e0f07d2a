"""Lists the inputs of a data set: clips, composites and archives in folders, before any is opened."""
