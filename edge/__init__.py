"""A headless human pose sensor: camera frames in, keypoints out over MQTT."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.decode.argmax import get_keypoints
    from edge.decode.heatmaps import argmax2d, sigmoid
    from edge.skeleton import PARTS, KeyPoint

__version__ = "0.5.0"
__all__ = ["PARTS", "KeyPoint", "__version__", "argmax2d", "get_keypoints", "sigmoid"]

_MODULES = {
    "PARTS": "edge.skeleton",
    "KeyPoint": "edge.skeleton",
    "argmax2d": "edge.decode.heatmaps",
    "get_keypoints": "edge.decode.argmax",
    "sigmoid": "edge.decode.heatmaps",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `edge-pose --help` does not import numpy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_MODULES[name]), name)
