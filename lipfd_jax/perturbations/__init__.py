"""Changes of frames, mel strips and samples, for training and suites."""
