"""Keep results that take long to make from one run of the tests to the next."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-pose"


def hash_of(folder: Path) -> str:
    """A hash of the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def cached(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled. The key is text that changes with everything that the contents depend on.

    Other processes wait while one process fills the folder. A damaged folder is made again.
    """
    parent = CACHE / name
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / hashlib.sha256(key.encode()).hexdigest()[:16]
    checksum = folder.with_suffix(".sha256")
    with (parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (checksum.is_file() and checksum.read_text() == hash_of(folder)):
            with TemporaryDirectory(dir=parent) as temporary:
                new = Path(temporary) / "new"
                new.mkdir()
                make(new)
                shutil.rmtree(folder, ignore_errors=True)
                new.rename(folder)
            checksum.write_text(hash_of(folder))
    return folder
