"""Skeletons on pictures, and the video writer."""
