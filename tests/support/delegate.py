"""A stand-in for libedgetpu, built from C. A plan says when and how it fails."""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.models import catalogue

SOURCE = Path(__file__).with_name("standin.c")
COMPILER = shutil.which("cc")


@dataclass(frozen=True)
class StandIn:
    """The library and the file with its plan. It reads the plan each time it is loaded."""

    library: Path
    plan: Path

    def will(self, *actions: str) -> None:
        """Plan failures from the next load on, such as "load fail" or "7 crash"; standin.c lists them."""
        self.plan.write_text("".join(f"{action}\n" for action in actions))

    @property
    def diary(self) -> list[str]:
        """A line for each "load" with its options, each "destroy" and each "hang", after the ID of the process."""
        diary = Path(f"{self.plan}.diary")
        return diary.read_text().splitlines() if diary.exists() else []

    @property
    def loads(self) -> list[str]:
        """The lines of the loads. Other lines may come from devices of earlier tests that are garbage-collected now."""
        return [line for line in self.diary if " load" in line]

    @property
    def worker_pid(self) -> int:
        """The process that first loaded the library."""
        return int(self.loads[0].split()[0])

    @property
    def hangs(self) -> bool:
        """Whether it hangs now."""
        return any(line.endswith(" hang") for line in self.diary)


def build(folder: Path) -> Path:
    """Compile the library."""
    assert COMPILER is not None
    library = folder / "standin.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", library, SOURCE], check=True)
    return library


def add_model(data_home: Path, name: str, content: bytes, input_size: tuple[int, int]) -> Path:
    """Add a model to the owner's catalogue in that XDG_DATA_HOME, as one compiled for the Edge TPU."""
    folder = data_home / "edge-pose/models"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.tflite"
    path.write_bytes(content)
    entry = {
        **msgspec.to_builtins(catalogue.entries()["posenet"]),
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "input_sizes": [list(input_size)],
        "device": "edgetpu",
    }
    with (folder / "catalogue.toml").open("a", encoding="utf-8") as index:
        lines = (f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in entry.items())
        index.write(f"[{name}]\n{''.join(lines)}")
    return path
