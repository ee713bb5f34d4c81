"""One file per command: its options, its help text, and a call of the code that does the work."""
