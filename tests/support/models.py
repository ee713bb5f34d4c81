"""The shipped network in tests: the one that is fast with the installed runtime, and on one thread.

Tests run side by side, and threads of one test that wait for each other only keep a processor busy.
"""

import msgspec

from edge.config import Config
from edge.inference.tflite import installed

# tflite-runtime takes ten times as long for int8 as for float16; LiteRT half as long.
FAST_MODEL = "posenet-float16" if installed().startswith("tflite-runtime") else "posenet"


def fast_config(**tables: object) -> Config:
    """The default configuration with that network, and with these tables in place of its own."""
    return msgspec.convert({"inference": {"threads": 1}, "model": {"name": FAST_MODEL}} | tables, Config)
