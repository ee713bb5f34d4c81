"""Which machine this is."""

from pathlib import Path

from edge.system.files import read_text


def board_name(root: Path = Path("/")) -> str:
    """The name of this Raspberry Pi; "" on any other machine."""
    model = read_text(root / "proc/device-tree/model")
    return model if model.startswith("Raspberry Pi") else ""
