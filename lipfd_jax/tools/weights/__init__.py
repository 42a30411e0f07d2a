"""Makes the weights of the detector that ships: builds, folds, trains, calibrates, and writes its card."""
