"""Open pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.opened import EVERYWHERE, Page, opened, with_password


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


@pytest.fixture
def page() -> Iterator[Page]:
    """A page for this machine, without a password."""
    with opened() as one:
        yield one


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Page]:
    """A page for this machine, with a password."""
    with opened(with_password(tmp_path)) as one:
        yield one


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Page]:
    """A page for other machines, with a password and TLS."""
    with opened({"host": EVERYWHERE, **with_password(tmp_path)}) as one:
        yield one
