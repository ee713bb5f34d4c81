"""Letterbox a frame and run a network on it, on the CPU or on an Edge TPU."""
