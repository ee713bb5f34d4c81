"""`edge-pose models fetch`: a model that is not shipped, from where it is published or from a mirror.

Every file is pinned by its sha256. It stays in memory until that is known to be right; nothing is written before.
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
from edge.models import catalogue, importing
from edge.models.catalogue import Entry
from edge.models.importing import Imported

ATTEMPTS = 4
PAUSE_S = 1.0  # between two attempts
SILENCE_S = 20.0  # without a byte, after which a connection counts as broken
_PIECE = 1 << 16  # bytes
_RANGE = 416  # what we asked to go on with is not there
_MAY_PASS = (408, 425, 429, _RANGE)  # those of HTTP's 4xx that another attempt may not meet

Progress: TypeAlias = Callable[[int], object]  # is told how many bytes are there


@contextmanager
def shown(name: str, size: int) -> Iterator[Progress]:
    """A progress bar for as long as the block runs, where standard error is a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with ProgressBar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=size)
        yield lambda done: bar.update(task, completed=done)


def run(name: str, entry: Entry, mirror: str | Path | None, progress: Progress) -> Imported:
    """Get the model that `catalogue.remote()` describes as `name`, and add it to the catalogue without its decoder.

    `mirror` is a folder, or the http(s) address of one, that has the file under its published name. A model that is in
    the catalogue already, and whole, is not fetched again. Raises FetchError if the file cannot be downloaded now, and
    ModelError if it is not in the folder, is another one than published, or cannot be added; then nothing was kept.
    """
    content = _there(name, entry)
    if content is None:
        content = _read(mirror, name, entry) if isinstance(mirror, Path) else _get(mirror, name, entry, progress)
    return importing.added(
        name,
        importing.examined(content, label=name),
        licence=entry.licence,
        source=f"{entry.source}, sha256 {entry.sha256}",
        about=entry.about,
    )


def _there(name: str, entry: Entry) -> bytes | None:
    """The model as it is in the catalogue, if it is. Raises ModelError if another one has its name."""
    for place in catalogue.folders():
        if known := catalogue.entries(place).get(name):
            if not known.source.endswith(entry.sha256):
                raise ModelError(
                    f"{place} has another model {name!r}; do: {catalogue.command(f'remove {name}', place)}, "
                    "and try again"
                )
            try:
                return catalogue.read_entry(name, known, place).content
            except ModelError:
                return None  # fetching it again mends it
    return None


def _read(folder: Path, name: str, entry: Entry) -> bytes:
    file = folder / entry.file
    try:
        content = file.read_bytes()
    except OSError as exc:
        again = catalogue.command(f"fetch {name} --from {shlex.quote(str(folder))}")
        raise ModelError(
            f"{file}: cannot be read ({exc.strerror}); get it from {entry.source}, put it there and do: {again}"
        ) from exc
    _check(content, entry, str(file))
    return content


def _get(mirror: str | None, name: str, entry: Entry, progress: Progress) -> bytes:
    url = f"{mirror.rstrip('/')}/{entry.file}" if mirror else entry.source
    content, problem = bytearray(), ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        try:
            in_pieces = _receive(url, content, entry.size, progress)
        except urllib.error.HTTPError as exc:
            exc.close()
            problem = f"{exc.code} {exc.reason}"
            if exc.code == _RANGE:
                content.clear()
            elif 400 <= exc.code < 500 and exc.code not in _MAY_PASS:
                break
        except (OSError, ValueError, http.client.HTTPException) as exc:
            reason = getattr(exc, "reason", exc)
            problem = getattr(reason, "strerror", None) or str(reason)
        else:
            if not in_pieces or _sha256(content) == entry.sha256:
                _check(content, entry, url)
                return bytes(content)
            content.clear()  # they may be of two files
            problem = "it came in pieces that do not fit together"
    if mirror:
        raise FetchError(f"{url}: {problem}; check --from and try again; the file is published at {entry.source}")
    raise FetchError(f"{url}: {problem}; check the network and try again, or get this file on another machine, put it "
                     f"into a folder here and do: {catalogue.command(f'fetch {name} --from FOLDER')}")  # fmt: skip


def _receive(url: str, content: bytearray, size: int, progress: Progress) -> bool:
    """Append what is missing in `content`, or else begin anew; returns whether it was the former.

    Ends when there is more than `size`. Raises OSError and HTTPException; `content` has what was received.
    """
    headers = {"User-Agent": f"edge-pose/{__version__}"}
    if content:
        headers["Range"] = f"bytes={len(content)}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the address is https, or the owner's own
    with urllib.request.urlopen(request, timeout=SILENCE_S) as response:  # noqa: S310
        goes_on = bool(content) and (response.headers["Content-Range"] or "").startswith(f"bytes {len(content)}-")
        if not goes_on:
            content.clear()
        length = response.headers["Content-Length"]
        end = len(content) + int(length) if length else size
        while len(content) <= size and (piece := response.read1(_PIECE)):
            content += piece
            progress(len(content))
    if len(content) < end and len(content) <= size:  # which Python does not say by itself
        raise ConnectionError(f"the connection ended after {len(content)} of {end} bytes")
    return goes_on


def _check(content: bytes | bytearray, entry: Entry, where: str) -> None:
    if (sha256 := _sha256(content)) != entry.sha256:
        got = f"{len(content)} bytes, {sha256}" if len(content) <= entry.size else f"more than {entry.size} bytes"
        raise ModelError(f"{where}: is not the file that was published: its sha256 should be {entry.sha256} "
                         f"({entry.size} bytes), got {got}; nothing was kept; "
                         "get it from elsewhere with --from")  # fmt: skip


def _sha256(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()
