"""Fixtures that more than one test file uses."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.models import folders
from tests.support import delegate
from tests.support.brokers import MOSQUITTO, Mosquitto


@pytest.fixture(scope="session", autouse=True)
def state_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let sensors save their state in a temporary folder, and not in the tester's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIRECTORY", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """A function that starts a mosquitto with these settings; all of them stop after the test."""
    if MOSQUITTO is None:
        pytest.skip("MOSQUITTO IS NOT INSTALLED: run: apt-get install mosquitto")
    with ExitStack() as stack:

        def start(*settings: str) -> Mosquitto:
            broker = Mosquitto(tmp_path, settings or ("allow_anonymous true",)).start()
            stack.callback(broker.stop)
            return broker

        yield start


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of an authority, a server, a client, and another authority that signed neither of them."""
    if shutil.which("openssl") is None:
        pytest.skip("OPENSSL IS NOT INSTALLED: run: apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificates")
    authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
    (folder / "ca.ext").write_text(authority)
    identifiers = "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n" + identifiers)
    (folder / "client.ext").write_text(identifiers)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for ca in ("ca", "other"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", "a.csr")
        openssl("x509", "-req", "-in", "a.csr", "-signkey", f"{ca}.key", "-days", "2", "-extfile", "ca.ext",
                "-out", f"{ca}.crt")  # fmt: skip
    for name in ("server", "client"):
        openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "a.csr"
        )
        openssl("x509", "-req", "-in", "a.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def coral() -> Path:
    """Coral's pictures, models and reference poses, which we may not ship."""
    folder = Path(os.environ.get("EDGE_POSE_DATA", Path(__file__).parents[2] / "shared/data")) / "coral"
    if not folder.is_dir():
        pytest.skip(f"NO REFERENCE DATA in {folder}: name another folder with EDGE_POSE_DATA")
    return folder


@pytest.fixture(scope="session")
def standin_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled stand-in for libedgetpu."""
    if delegate.COMPILER is None:
        pytest.skip("NO C COMPILER for the stand-in of libedgetpu: run: apt-get install gcc libc6-dev")
    return delegate.build(tmp_path_factory.mktemp("delegate"))


@pytest.fixture
def standin(standin_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> delegate.StandIn:
    """A stand-in for libedgetpu that works until the test plans a failure."""
    standin = delegate.StandIn(standin_library, tmp_path / "plan")
    monkeypatch.setenv("STANDIN_PLAN", str(standin.plan))
    return standin


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for the owner's models. It does not exist yet."""
    folder = tmp_path / "var/models"
    monkeypatch.setattr(folders, "_SYSTEM", folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return folder
