"""Honest comparison of detectors on labelled logs: same input, same budget, trivial baselines in the same table."""
