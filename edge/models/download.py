"""`edge-pose models fetch`: download a model that is not shipped, from its publisher or from a mirror.

The sha256 of every file is known beforehand. A download stays in memory until its sha256 has been checked.
"""

import hashlib
import http.client
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as ProgressBar

from edge import __version__
from edge.errors import FetchError, ModelError
from edge.models import catalogue, folders, importing
from edge.models.catalogue import Entry
from edge.models.importing import Check, Imported

ATTEMPTS = 4
PAUSE_S = 1.0  # between two attempts
SILENCE_S = 20.0  # after so long without a byte, the connection counts as broken
_CHUNK_BYTES = 1 << 16
_RANGE_NOT_SATISFIABLE = 416
_TEMPORARY = (408, 425, 429, _RANGE_NOT_SATISFIABLE)  # HTTP client errors after which a retry may succeed

Progress: TypeAlias = Callable[[int], object]  # called with the number of bytes received so far


@contextmanager
def progress_bar(name: str, size: int) -> Iterator[Progress]:
    """Show a progress bar while the block runs, if standard error is a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with ProgressBar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=size)
        yield lambda done: bar.update(task, completed=done)


def fetch(name: str, entry: Entry, mirror: str | Path | None, check: Check, progress: Progress) -> Imported:
    """Download the model that `catalogue.remote()` describes, and add it to the catalogue without its decoder.

    `mirror` is a folder, or the http(s) address of one, that has the file under its published name. A model that the
    catalogue has already, undamaged, is not downloaded again. Raises FetchError if the download fails, and ModelError
    if the file is missing from the folder, is not the published one, or cannot be added. Nothing is kept then.
    """
    content = _installed(name, entry) or (
        _read(mirror, name, entry) if isinstance(mirror, Path) else _download(mirror, name, entry, progress)
    )
    return importing.add(
        name,
        importing.check_content(content, name, check),
        licence=entry.licence,
        source=f"{entry.source}, sha256 {entry.sha256}",
        about=entry.about,
    )


def _installed(name: str, entry: Entry) -> bytes | None:
    """The content of the model if a catalogue has it undamaged. Raises ModelError if another model has its name."""
    for folder in folders.with_catalogue():
        if known := catalogue.entries(folder).get(name):
            if not known.source.endswith(entry.sha256):
                remedy = f"run: {folders.command(f'remove {name}', folder)}, and try again"
                raise ModelError(str(folder), f"it has another model {name!r}", remedy)
            try:
                return catalogue.read_entry(name, known, folder).content
            except ModelError:
                return None  # the download repairs it
    return None


def _read(folder: Path, name: str, entry: Entry) -> bytes:
    file = folder / entry.file
    try:
        content = file.read_bytes()
    except OSError as exc:
        again = folders.command(f"fetch {name} --from {shlex.quote(str(folder))}")
        remedy = f"download it from {entry.source}, put it there, and run: {again}"
        raise ModelError(str(file), f"cannot be read ({exc.strerror})", remedy) from exc
    _check_sha256(content, entry, str(file))
    return content


def _download(mirror: str | None, name: str, entry: Entry, progress: Progress) -> bytes:
    url = f"{mirror.rstrip('/')}/{entry.file}" if mirror else entry.source
    content, problem = bytearray(), ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        try:
            resumed = _receive(url, content, entry.size, progress)
        except urllib.error.HTTPError as exc:
            exc.close()
            problem = f"{exc.code} {exc.reason}"
            if exc.code == _RANGE_NOT_SATISFIABLE:
                content.clear()
            elif 400 <= exc.code < 500 and exc.code not in _TEMPORARY:
                break
        except (OSError, ValueError, http.client.HTTPException) as exc:
            reason = getattr(exc, "reason", exc)
            problem = getattr(reason, "strerror", None) or str(reason)
        else:
            if not resumed or _sha256(content) == entry.sha256:
                _check_sha256(content, entry, url)
                return bytes(content)
            content.clear()  # the two parts may come from different files
            problem = "its parts do not fit together"
    if mirror:
        raise FetchError(url, problem, f"check --from and try again; the file is published at {entry.source}")
    again = folders.command(f"fetch {name} --from FOLDER")
    remedy = (
        "check the network and try again; or download this file on another machine, put it into a folder here, and "
        f"run: {again}"
    )
    raise FetchError(url, problem, remedy)


def _receive(url: str, content: bytearray, size: int, progress: Progress) -> bool:
    """Append the missing bytes to `content`, or clear it and start over. Returns whether the download was resumed.

    Stops once there are more than `size` bytes. Raises OSError and HTTPException; `content` has the received bytes.
    """
    headers = {"User-Agent": f"edge-pose/{__version__}"}
    if content:
        headers["Range"] = f"bytes={len(content)}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - https, or an address that the owner typed
    with urllib.request.urlopen(request, timeout=SILENCE_S) as response:  # noqa: S310
        resumed = bool(content) and (response.headers["Content-Range"] or "").startswith(f"bytes {len(content)}-")
        if not resumed:
            content.clear()
        length = response.headers["Content-Length"]
        end = len(content) + int(length) if length else size
        while len(content) <= size and (chunk := response.read1(_CHUNK_BYTES)):
            content += chunk
            progress(len(content))
    if len(content) < end and len(content) <= size:  # read1 reports a lost connection as the end of the file
        raise ConnectionError(f"the connection ended after {len(content)} of {end} bytes")
    return resumed


def _check_sha256(content: bytes | bytearray, entry: Entry, label: str) -> None:
    if (sha256 := _sha256(content)) != entry.sha256:
        got = f"{len(content)} bytes, {sha256}" if len(content) <= entry.size else f"more than {entry.size} bytes"
        problem = (
            f"this is not the published file: its sha256 should be {entry.sha256} ({entry.size} bytes), got {got}; "
            "nothing was kept"
        )
        raise ModelError(label, problem, "download it from elsewhere with --from")


def _sha256(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()
