"""The operating system: atomic file writes, kernel files, processes, and a clock that excludes suspensions."""
