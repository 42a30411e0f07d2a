"""Robustness and control suites: perturbed videos scored cell by cell."""
