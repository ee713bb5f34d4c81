"""The two-stage loop and its seams."""
