"""Accuracy and latency on annotated data."""
