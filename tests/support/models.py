"""The shipped model that is fast with the installed runtime, on one thread.

Tests run in parallel, so several threads per test would only wait for each other and keep the processor busy.
"""

import msgspec

from edge.config import Config
from edge.inference.tflite import installed

# tflite-runtime takes ten times as long for int8 as for float16; LiteRT half as long.
FAST_MODEL = "posenet-float16" if installed().startswith("tflite-runtime") else "posenet"


def fast_config(**tables: object) -> Config:
    """The default configuration with the fast model on one thread; `tables` replace whole tables."""
    return msgspec.convert({"inference": {"threads": 1}, "model": {"name": FAST_MODEL}} | tables, Config)
