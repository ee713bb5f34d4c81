"""The files of recordings: numbered, rotated by size, and limited in total."""

import os
import re
from contextlib import suppress
from pathlib import Path

FILES_PER_LIMIT = 10  # a file is full when it has this part of the total limit


class Files:
    """Appends lines to the files of one device in a folder. Not thread-safe.

    They are called <device>-<number>.jsonl. Numbers go up and are not reused while later files exist, because the clock
    of a device without a battery can go back. Only the owner may read them. All methods raise OSError.
    """

    def __init__(self, folder: Path, device: str, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._name = re.compile(rf"{re.escape(device)}-(\d+)\.jsonl(\.gz)?")
        self._device = device
        self._file: int | None = None  # descriptor
        self._size = 0

    def has_room(self, content: bytes) -> bool:
        """Whether there is an open file that was not deleted, and can take `content` without getting too large."""
        if self._file is None or os.fstat(self._file).st_nlink == 0:
            return False
        return self._size + len(content) <= self._max_bytes // FILES_PER_LIMIT

    def start(self, content: bytes) -> None:
        """Start the next file with `content`, after the oldest were deleted to stay within the limit."""
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = self._files()
        wanted = max(self._max_bytes // FILES_PER_LIMIT, len(content))
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total + wanted <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        number = files[-1][0] + 1 if files else 1
        path = self._folder / f"{self._device}-{number:06}.jsonl"
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._size = 0
        try:
            self.append(content)
        except OSError:
            path.unlink(missing_ok=True)  # a full disk must not fill with empty files
            raise

    def append(self, content: bytes) -> None:
        """Write to the open file. After an error, the file ends where it ended before."""
        assert self._file is not None
        done = 0
        try:
            while done < len(content):
                done += os.write(self._file, content[done:])
        except OSError:
            if done:
                with suppress(OSError):  # readers tolerate a torn line
                    os.ftruncate(self._file, self._size)
                    os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += done

    def total(self) -> int:
        """The size of all files, bytes."""
        return sum(size for _, size, _ in self._files())

    def close(self) -> None:
        """Close the file, and wait until the disk has it. May be called more than once."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.fsync(file)
            finally:
                os.close(file)

    def _files(self) -> list[tuple[int, int, Path]]:
        """Number, size and path of each file, oldest first."""
        found = []
        for entry in os.scandir(self._folder):
            if name := self._name.fullmatch(entry.name):
                with suppress(FileNotFoundError):  # just deleted
                    found.append((int(name[1]), entry.stat(follow_symlinks=False).st_size, Path(entry.path)))
        return sorted(found)
