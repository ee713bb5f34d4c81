"""Keep the notes that LiteRT writes to standard error out of the output of commands. They cannot be switched off."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

NOTE = "INFO: "  # how a note begins, such as "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


@contextmanager
def without_notes() -> Iterator[None]:
    """Hold back standard error during the block, and write everything but notes afterwards.

    Only for short blocks: if the process is killed in one, the text is lost.
    """
    try:
        kept = os.dup(2)
    except OSError:  # closed by the caller
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not line.startswith(NOTE.encode()):
                    os.write(2, line)
