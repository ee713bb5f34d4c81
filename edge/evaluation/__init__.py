"""Measure accuracy and latency on annotated pictures."""
