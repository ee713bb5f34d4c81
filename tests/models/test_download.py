import hashlib
import json
import os
import pty
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from edge.cli.app import app
from edge.errors import EdgeError, FetchError, ModelError
from edge.models import catalogue, download
from edge.models.catalogue import Entry
from edge.models.importing import Imported
from edge.models.strip_decoder import cut_decoder
from tests.support.tiny_posenet import tiny_posenet

PUBLISHED = tiny_posenet()
NAME, FILE = "tiny", "tiny_decoder.tflite"


def described(content: bytes = PUBLISHED, source: str = "http://127.0.0.1:1/tiny_decoder.tflite") -> Entry:
    return Entry(
        file=FILE, sha256=hashlib.sha256(content).hexdigest(), size=len(content), licence="MIT", source=source,
        family="posenet", input_sizes=((33, 49),), output_stride=16, about="Tiny.",
    )  # fmt: skip


@dataclass
class Host:
    """A web server that answers one request after the other as `answers` say, and the last way ever after."""

    content: bytes = PUBLISHED
    answers: list[str] = field(default_factory=lambda: ["whole"])
    ranges: bool = True  # whether it can go on in the middle
    asked: list[str | None] = field(default_factory=list)  # the Range of each request
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.asked.append(wanted)
        how = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if how.isdigit():
            request.send_error(int(how))
            return
        content = b"\0" * len(self.content) if how == "other" else self.content
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if first >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if first else 200)
        if first:
            request.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if how not in ("unmeasured", "endless"):
            request.send_header("Content-Length", str(len(content) - first))
        request.end_headers()
        rest = content[first:]
        if how in ("drop", "hang"):
            rest = rest[: len(rest) // 2]
        if how == "endless":
            rest *= 1000
        for at in range(0, len(rest), 1000):
            request.wfile.write(rest[at : at + 1000])
            if how == "slow":
                time.sleep(0.01)
        if how == "hang":
            request.wfile.flush()
            self.released.wait(10)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSE_S", 0)
    monkeypatch.setattr(download, "SILENCE_S", 0.5)
    serving = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # who has enough hangs up
                serving.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield serving
        finally:
            serving.released.set()
            server.shutdown()
            thread.join()


def fetched(mirror: str | Path | None, entry: Entry | None = None) -> tuple[Imported, list[int]]:
    told: list[int] = []
    return download.run(NAME, entry or described(), mirror, told.append), told


def test_a_fetched_model_is_in_the_catalogue_without_its_decoder(host: Host, own: Path) -> None:
    imported, told = fetched(None, described(source=f"{host.url}/{FILE}"))
    model = catalogue.read(NAME)
    assert model.verified
    assert (model.path, model.content) == (own / "tiny.tflite", cut_decoder(PUBLISHED))
    entry = catalogue.entries(own)[NAME]
    assert (entry.licence, entry.about, entry.output_stride) == ("MIT", "Tiny.", 16)
    assert entry.source == f"{host.url}/{FILE}, sha256 {described().sha256}"
    assert imported.new
    assert told[-1] == len(PUBLISHED)


@pytest.mark.parametrize(
    ("answers", "ranges", "resumed"),
    [
        ("whole", True, 0),
        ("unmeasured", True, 0),
        ("slow", True, 0),
        ("drop whole", True, 1),
        ("drop drop drop whole", True, 3),
        ("drop whole", False, 1),
        ("503 429 whole", True, 0),
        ("drop 503 whole", True, 2),
        ("hang whole", True, 1),
    ],
)
def test_what_a_retry_can_mend_is_mended(host: Host, own: Path, answers: str, ranges: bool, resumed: int) -> None:
    host.answers, host.ranges = answers.split(), ranges
    requests = len(host.answers)
    _, told = fetched(host.url)
    assert (own / "tiny.tflite").read_bytes() == cut_decoder(PUBLISHED)
    assert (len(host.asked), sum(asked is not None for asked in host.asked)) == (requests, resumed)
    assert told[-1] == len(PUBLISHED)
    if ranges:
        assert told == sorted(told), "what had arrived was not fetched again"


def test_pieces_of_two_files_are_fetched_again_in_one(host: Host, own: Path) -> None:
    host.answers = ["drop", "other", "whole"]
    fetched(host.url)
    assert (own / "tiny.tflite").read_bytes() == cut_decoder(PUBLISHED)
    assert [asked is not None for asked in host.asked] == [False, True, False]


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("content", "answers", "got"),
    [
        (bytes(9), ["whole"], f"got 9 bytes, {hashlib.sha256(bytes(9)).hexdigest()}"),
        (bytes(len(PUBLISHED)), ["whole"], f"got {len(PUBLISHED)} bytes"),
        (b"<html>Please log in</html>", ["whole"], "got 26 bytes"),
        (b"<html>Please log in</html>", ["drop", "whole"], "got 26 bytes"),
        (PUBLISHED, ["endless"], f"got more than {len(PUBLISHED)} bytes"),
        (PUBLISHED + b"\0", ["whole"], "got more than"),
    ],
)
def test_another_file_is_refused_and_not_kept(
    host: Host, tmp_path: Path, content: bytes, answers: list[str], got: str
) -> None:
    host.content, host.answers = content, answers
    with pytest.raises(ModelError) as refused:
        fetched(host.url)
    for part in (f"^{host.url}/{FILE}: is not the file"[1:], described().sha256, got, "nothing was kept"):
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("answers", "problem", "requests"),
    [
        (["404"], "404 Not Found", 1),
        (["403"], "403 Forbidden", 1),
        (["500"], "500 Internal Server Error", download.ATTEMPTS),
        (["drop"], "the connection ended after", download.ATTEMPTS),
        (["hang"], "timed out", download.ATTEMPTS),
    ],
)
def test_what_no_retry_mends_is_one_line(
    host: Host, tmp_path: Path, answers: list[str], problem: str, requests: int
) -> None:
    host.answers = answers
    with pytest.raises(FetchError) as refused:
        fetched(host.url)
    assert str(refused.value).startswith(f"{host.url}/{FILE}: {problem}")
    assert described().source in str(refused.value)
    assert refused.value.exit_code == 1
    assert len(host.asked) == requests
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://a.invalid", "http://", "http://[", "http://a:b"])
def test_addresses_where_nobody_is(own: Path, address: str) -> None:
    with pytest.raises(FetchError, match="; check --from and try again"):
        fetched(address)
    assert not own.parent.exists()


@pytest.mark.usefixtures("host")
def test_offline_one_line_says_which_file_to_get_and_where_to_put_it() -> None:
    with pytest.raises(FetchError) as refused:
        fetched(None)
    for part in (described().source, "refused", "edge-pose models fetch tiny --from FOLDER"):
        assert part in str(refused.value)


def test_a_folder_is_a_mirror_too(own: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"{FILE}: cannot be read .*get it from http.* fetch tiny --from {tmp_path}$"):
        fetched(tmp_path)
    (blank := tmp_path / "a b").mkdir()
    with pytest.raises(ModelError, match=f"fetch tiny --from '{blank}'$"):
        fetched(blank)
    (tmp_path / FILE).write_bytes(PUBLISHED[:-1])
    with pytest.raises(ModelError, match=f"got {len(PUBLISHED) - 1} bytes"):
        fetched(tmp_path)
    assert not own.exists()
    (tmp_path / FILE).write_bytes(PUBLISHED)
    assert fetched(tmp_path)[0].path == own / "tiny.tflite"


def test_what_is_there_and_whole_is_not_fetched_again(host: Host, own: Path) -> None:
    first, _ = fetched(host.url)
    again, told = fetched("http://127.0.0.1:1")
    assert (again.new, again.entry, told) == (False, first.entry, [])
    (own / "tiny.tflite").write_bytes(b"damaged")
    fetched(host.url)
    assert catalogue.read(NAME).verified
    assert len(host.asked) == 2


@pytest.mark.usefixtures("own")
def test_a_name_that_another_model_has_is_refused(host: Host) -> None:
    fetched(host.url)
    other = tiny_posenet(order=(34, 17, 64))
    host.content = other
    with pytest.raises(ModelError, match=r"another model 'tiny'; do: .*edge-pose models remove tiny"):
        fetched(host.url, described(other))
    assert len(host.asked) == 1
    assert catalogue.read(NAME).content == cut_decoder(PUBLISHED)


@pytest.fixture
def fetchable(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One of the shipped models, and one that can be fetched from the host."""
    copy = tmp_path / "shipped"
    shutil.copytree(catalogue.folder(), copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    index = copy / "catalogue.toml"
    index.write_text(index.read_text().partition("[posenet-float16]")[0])
    entry = msgspec.to_builtins(described(source=f"{host.url}/{FILE}"))
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    (copy / "remote.toml").write_text("\n".join([f"[{NAME}]", *lines]))
    monkeypatch.setattr(catalogue, "_PLACES", (copy,))
    return host


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments])


def test_the_command(fetchable: Host, own: Path, tmp_path: Path) -> None:
    listed = {model["name"]: model for model in json.loads(command("list", "--json").stdout)}
    assert (listed["tiny"]["ok"], listed["tiny"]["folder"], listed["posenet"]["ok"]) == (None, None, True)
    assert "edge-pose models fetch tiny" in command("list").stdout
    assert command("list").exit_code == 0
    with pytest.raises(ModelError, match=r"'tiny' is not on this device yet; do: .*edge-pose models fetch tiny"):
        catalogue.read(NAME)

    told = command("fetch", NAME)
    assert told.exit_code == 0
    assert 'name = "tiny"' in told.stdout
    again = json.loads(command("fetch", NAME, "--json").stdout)
    assert (again["new"], again["path"], again["device"]) == (False, str(own / "tiny.tflite"), "cpu")
    listed = {model["name"]: model for model in json.loads(command("list", "--json").stdout)}
    assert (listed["tiny"]["ok"], listed["tiny"]["folder"]) == (True, str(own))

    assert "posenet is a part of edge-pose" in command("fetch", "posenet").output
    for wrong in (["posenet"], ["tinny"], [NAME, "--from", str(tmp_path / "no")], [NAME, "--from", "ftp://a"], []):
        assert command("fetch", *wrong).exit_code == 2
    fetchable.answers = ["404"]
    (own / "tiny.tflite").unlink()
    failed = command("fetch", NAME).exception
    assert isinstance(failed, EdgeError)
    assert failed.exit_code == 1


@pytest.mark.usefixtures("fetchable")
def test_verify(own: Path) -> None:
    def found() -> dict[str, tuple[bool, str]]:
        return {one["name"]: (one["ok"], one["detail"]) for one in json.loads(command("verify", "--json").stdout)}

    command("fetch", NAME)
    whole = found()
    assert list(whole) == ["posenet", "tiny"]
    assert all(ok and "runs on" in detail for ok, detail in whole.values())
    assert command("verify").exit_code == 0

    file, index = own / "tiny.tflite", own / "catalogue.toml"
    content, text = file.read_bytes(), index.read_text()
    for damaged in (content[:-1], b"", bytes(len(content))):
        file.write_bytes(damaged)
        ok, detail = found()[NAME]
        assert not ok
        assert detail.endswith("edge-pose models fetch tiny")
    file.unlink()
    assert "No such file" in found()[NAME][1]
    refused = command("verify")
    assert refused.exit_code == 78
    assert "edge-pose models fetch tiny" in refused.stdout

    # Described as it is, but nothing that runs.
    weights = content.replace(b"heatmaps", b"warmmaps")
    file.write_bytes(weights)
    index.write_text(text.replace(hashlib.sha256(content).hexdigest(), hashlib.sha256(weights).hexdigest()))
    assert "warmmaps [3, 4, 17]" in found()[NAME][1]
    index.write_text("[tiny")
    assert [ok for ok, _ in found().values()] == [True, False]
    assert "mend it" in found()[str(own)][1]


@pytest.mark.usefixtures("own")
def test_of_models_for_the_edge_tpu_the_structure_is_verified(tmp_path: Path) -> None:
    content = tiny_posenet(edge_tpu=True)
    (tmp_path / FILE).write_bytes(content)
    imported, _ = fetched(tmp_path, described(content))
    assert (imported.entry.device, imported.ran_on) == ("edgetpu", None)
    assert "needs an Edge TPU" in command("verify").stdout


def test_a_terminal_shows_how_far_it_is() -> None:
    """And nothing else does. In a process of its own, whose standard error is a terminal."""
    script = (
        "import sys, time; from edge import fetching\n"
        "with download.shown('tiny', 4000) as progress:\n"
        "    for done in (1000, 4000): progress(done); time.sleep(0.15)"
    )
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", script], stderr=theirs, stdout=subprocess.PIPE, env=environment, check=True
    )
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    assert "tiny" in shown
    assert "4.0/4.0 kB" in shown
    assert done.stdout == b""
    silent = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, check=True)
    assert silent.stdout + silent.stderr == b""


def test_what_can_be_fetched_is_described_in_full() -> None:
    remote = catalogue.remote()
    assert not remote.keys() & catalogue.entries().keys()
    for name, entry in remote.items():
        assert entry.source.startswith("https://")
        assert entry.source.endswith(f"/{entry.file}")
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert ("edgetpu" in name) == ("edgetpu" in entry.file) == (entry.device == "edgetpu")
        ((height, width),) = entry.input_sizes
        if entry.family == "posenet":
            assert f"{height}-{width}" in name
            assert f"_{height}_{width}_" in entry.file


@pytest.mark.parametrize("name", ["posenet-edgetpu-353-481", "posenet-coral-353-481", "movenet"])
def test_corals_own_files_are_those_that_are_pinned(own: Path, coral: Path, name: str) -> None:
    entry = catalogue.remote()[name]
    if not (coral / entry.file).is_file():
        pytest.skip(f"NO {entry.file} in {coral}")
    imported = download.run(name, entry, coral, lambda _: None)
    assert imported.entry.input_sizes == entry.input_sizes
    assert (imported.entry.device, imported.entry.output_stride) == (entry.device, entry.output_stride)
    assert imported.path == own / f"{name}.tflite"
