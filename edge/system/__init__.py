"""The operating system: atomic files, small kernel files, processes, and a clock that stops with the process."""
