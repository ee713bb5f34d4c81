"""A catalogue with a tiny model that can be downloaded over a faulty connection."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.models import download, folders
from tests.support.model_host import FILE, NAME, Host, published_entry, serving


@pytest.fixture(autouse=True)
def _no_real_folders(own: Path) -> None:
    """Keep all tests in this folder away from the models of this machine."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A web server with the model, and a client that does not wait long."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSE_S", 0)
    monkeypatch.setattr(download, "SILENCE_S", 0.5)
    with serving(Host()) as server:
        yield server


@pytest.fixture
def publishing(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """An installation with one shipped model, and another model that can be downloaded from the host."""
    copy = tmp_path / "shipped"
    shutil.copytree(folders.shipped(), copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    index = copy / "catalogue.toml"
    index.write_text(index.read_text().partition("[posenet-float16]")[0])
    entry = msgspec.to_builtins(published_entry(source=f"{host.url}/{FILE}"))
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    (copy / "remote.toml").write_text("\n".join([f"[{NAME}]", *lines]))
    monkeypatch.setattr(folders, "_SHIPPED", (copy,))
    return host
