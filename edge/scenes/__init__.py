"""Painted people with known keypoints: for the demo, the tests and the benchmark."""
