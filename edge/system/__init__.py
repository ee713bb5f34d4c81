"""The operating system: atomic files, small files of the kernel, and a clock that stops while the process does."""
