"""Download models over bad connections, and refuse files that are not the published ones."""

import hashlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge.cli.app import app
from edge.errors import EdgeError, FetchError, ModelError, UsageError
from edge.inference.model_trial import check_model
from edge.models import catalogue, download
from edge.models.catalogue import Entry
from edge.models.importing import Imported
from edge.models.strip_decoder import strip_decoder
from tests.support.model_host import FILE, NAME, PUBLISHED, Host, published_entry
from tests.support.tiny_posenet import tiny_posenet


def fetch(mirror: str | Path | None, entry: Entry | None = None) -> tuple[Imported, list[int]]:
    """The model, and the calls that would move a progress bar."""
    progress: list[int] = []
    return download.fetch(NAME, entry or published_entry(), mirror, check_model, progress.append), progress


def test_a_downloaded_model_is_in_the_catalogue_without_its_decoder(host: Host, own: Path) -> None:
    imported, progress = fetch(None, published_entry(source=f"{host.url}/{FILE}"))
    model = catalogue.read(NAME)
    assert model.verified
    assert (model.path, model.content) == (own / "tiny.tflite", strip_decoder(PUBLISHED))
    entry = catalogue.entries(own)[NAME]
    assert (entry.licence, entry.about, entry.output_stride) == ("MIT", "Tiny.", 16)
    assert entry.source == f"{host.url}/{FILE}, sha256 {published_entry().sha256}"
    assert imported.new
    assert progress[-1] == len(PUBLISHED)


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
def test_a_broken_download_is_resumed(host: Host, own: Path, answers: str, ranges: bool, resumed: int) -> None:
    host.answers, host.ranges = answers.split(), ranges
    attempts = len(host.answers)
    _, progress = fetch(host.url)
    assert (own / "tiny.tflite").read_bytes() == strip_decoder(PUBLISHED)
    assert (len(host.requests), sum(wanted is not None for wanted in host.requests)) == (attempts, resumed)
    assert progress[-1] == len(PUBLISHED)
    if ranges:
        assert progress == sorted(progress), "received bytes are not downloaded again"


def test_if_the_file_changes_during_a_download_it_starts_over(host: Host, own: Path) -> None:
    host.answers = ["drop", "other", "whole"]
    fetch(host.url)
    assert (own / "tiny.tflite").read_bytes() == strip_decoder(PUBLISHED)
    assert [wanted is not None for wanted in host.requests] == [False, True, False]


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
def test_a_file_with_another_sha256_is_not_kept(
    host: Host, tmp_path: Path, content: bytes, answers: list[str], got: str
) -> None:
    host.content, host.answers = content, answers
    with pytest.raises(ModelError) as exc:
        fetch(host.url)
    assert exc.value.key == f"{host.url}/{FILE}"
    assert published_entry().sha256 in exc.value.problem
    assert got in exc.value.problem
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
def test_a_download_that_keeps_failing_is_an_error(
    host: Host, tmp_path: Path, answers: list[str], problem: str, requests: int
) -> None:
    host.answers = answers
    with pytest.raises(FetchError) as exc:
        fetch(host.url)
    assert exc.value.key == f"{host.url}/{FILE}"
    assert exc.value.problem.startswith(problem)
    assert published_entry().source in exc.value.remedy
    assert exc.value.exit_code == 1
    assert len(host.requests) == requests
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://a.invalid", "http://", "http://[", "http://a:b"])
def test_a_mirror_that_cannot_be_reached_is_an_error(own: Path, address: str) -> None:
    with pytest.raises(FetchError) as exc:
        fetch(address)
    assert "--from" in exc.value.remedy
    assert not own.parent.exists()


@pytest.mark.usefixtures("host")
def test_without_a_network_the_error_names_the_file_and_the_next_command() -> None:
    with pytest.raises(FetchError) as exc:
        fetch(None)
    assert exc.value.key == published_entry().source
    assert "refused" in exc.value.problem
    assert exc.value.remedy.endswith("edge-pose models fetch tiny --from FOLDER")


def test_a_folder_can_be_the_mirror(own: Path, tmp_path: Path) -> None:
    (blank := tmp_path / "a b").mkdir()
    for folder, shown in ((tmp_path, f"{tmp_path}"), (blank, f"'{blank}'")):
        with pytest.raises(ModelError) as exc:
            fetch(folder)
        assert exc.value.key == str(folder / FILE)
        assert exc.value.remedy.endswith(f"fetch tiny --from {shown}")
    (tmp_path / FILE).write_bytes(PUBLISHED[:-1])
    with pytest.raises(ModelError) as exc:
        fetch(tmp_path)
    assert f"got {len(PUBLISHED) - 1} bytes" in exc.value.problem
    assert not own.exists()
    (tmp_path / FILE).write_bytes(PUBLISHED)
    assert fetch(tmp_path)[0].path == own / "tiny.tflite"


def test_an_undamaged_model_is_not_downloaded_again(host: Host, own: Path) -> None:
    first, _ = fetch(host.url)
    again, progress = fetch("http://127.0.0.1:1")
    assert (again.new, again.entry, progress) == (False, first.entry, [])
    (own / "tiny.tflite").write_bytes(b"damaged")
    fetch(host.url)
    assert catalogue.read(NAME).verified
    assert len(host.requests) == 2


@pytest.mark.usefixtures("own")
def test_a_download_does_not_replace_another_model_of_its_name(host: Host) -> None:
    fetch(host.url)
    other = tiny_posenet(order=(34, 17, 64))
    host.content = other
    with pytest.raises(ModelError) as exc:
        fetch(host.url, published_entry(other))
    assert "edge-pose models remove tiny" in exc.value.remedy
    assert len(host.requests) == 1
    assert catalogue.read(NAME).content == strip_decoder(PUBLISHED)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments])


def test_the_command_fetch_downloads_a_model_once(publishing: Host, own: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as exc:
        catalogue.read(NAME)
    assert exc.value.remedy.endswith("edge-pose models fetch tiny")
    done = command("fetch", NAME)
    assert done.exit_code == 0
    assert 'name = "tiny"' in done.stdout
    again = json.loads(command("fetch", NAME, "--json").stdout)
    assert (again["new"], again["path"], again["device"]) == (False, str(own / "tiny.tflite"), "cpu")
    for wrong in (["posenet"], ["tinny"], [NAME, "--from", str(tmp_path / "no")], [NAME, "--from", "ftp://a"]):
        assert isinstance(command("fetch", *wrong).exception, UsageError)
    assert command("fetch").exit_code == 2
    publishing.answers = ["404"]
    (own / "tiny.tflite").unlink()
    failed = command("fetch", NAME).exception
    assert isinstance(failed, EdgeError)
    assert failed.exit_code == 1


def test_only_a_terminal_shows_a_progress_bar() -> None:
    """In another process, because standard error has to be a terminal."""
    script = (
        "import time; from edge.models.download import progress_bar\n"
        "with progress_bar('tiny', 4000) as progress:\n"
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


def test_the_entries_of_models_to_download_match_their_names() -> None:
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
def test_corals_files_have_the_sha256_of_their_entries(own: Path, coral: Path, name: str) -> None:
    entry = catalogue.remote()[name]
    if not (coral / entry.file).is_file():
        pytest.skip(f"NO {entry.file} in {coral}")
    imported = download.fetch(name, entry, coral, check_model, lambda _: None)
    assert imported.entry.input_sizes == entry.input_sizes
    assert (imported.entry.device, imported.entry.output_stride) == (entry.device, entry.output_stride)
    assert imported.path == own / f"{name}.tflite"
