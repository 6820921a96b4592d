"""Experiment 1: faults injected from outside, and how fast each monitoring side tells of them."""
