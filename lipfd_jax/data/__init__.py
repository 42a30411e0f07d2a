"""From records to batches: sources, decoding and the Grain pipelines."""
