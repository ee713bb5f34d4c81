"""Tokens of sessions, without a server."""

from pathlib import Path

import pytest

from edge.web.sessions import SESSION_S, Sessions, kept_secret

SECRET = b"s" * 32
PASSWORD = "correct horse"  # noqa: S105 - of the tests


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_session_lasts_thirty_days() -> None:
    clock = Clock()
    sessions = Sessions(SECRET, PASSWORD, clock)
    token = sessions.issue()
    clock.now_s += SESSION_S - 1
    assert sessions.is_valid(token)
    clock.now_s += 2
    assert not sessions.is_valid(token)


def test_a_session_survives_a_restart_and_ends_with_the_password_or_the_secret() -> None:
    token = Sessions(SECRET, PASSWORD).issue()
    assert Sessions(SECRET, PASSWORD).is_valid(token)
    assert not Sessions(SECRET, "new password").is_valid(token)
    assert not Sessions(b"t" * 32, PASSWORD).is_valid(token)


def test_no_two_sessions_have_the_same_token() -> None:
    sessions = Sessions(SECRET, PASSWORD, Clock())
    assert len({sessions.issue() for _ in range(100)}) == 100


def test_a_changed_token_is_not_valid() -> None:
    sessions = Sessions(SECRET, PASSWORD)
    token = sessions.issue()
    end, random, signature = token.split(".")
    later = str(int(end) + 1)
    changed = [
        f"{later}.{random}.{signature}",
        f"{end}.x.{signature}",
        f"{end}..{signature}",
        token[:-1],
        f"{token}0",
        token.upper(),
        f"{end}.{random}.",
        f"{end}.{random}",
        "",
        ".",
        "..",
        "x",
        "\udcff.é.ÿ",
        "9" * 5000,
    ]
    assert [one for one in changed if sessions.is_valid(one)] == []


@pytest.mark.parametrize("wrong", ["", "correct hors", "correct horse ", "Correct horse", "correct horse\0", "\udcff"])
def test_only_the_password_itself_is_accepted(wrong: str) -> None:
    sessions = Sessions(SECRET, PASSWORD)
    assert sessions.is_password(PASSWORD)
    assert not sessions.is_password(wrong)


def test_a_password_may_have_any_characters() -> None:
    assert Sessions(SECRET, "pässwörd 🐴").is_password("pässwörd 🐴")


def test_the_secret_is_kept_in_a_file_that_only_the_service_reads(tmp_path: Path) -> None:
    file = tmp_path / "state" / "hall.page_secret.json"
    secret = kept_secret(file)
    assert len(secret) == 32
    assert kept_secret(file) == secret
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"secret": ""}', b'{"secret": "zz"}', b'{"secret": "00ff"}', b"\xff", b'{"x": ' + b"[" * 200_000],
    ids=range(7),
)
def test_a_damaged_secret_is_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "hall.page_secret.json"
    file.write_bytes(content)
    assert len(kept_secret(file)) == 32
    assert kept_secret(file) == kept_secret(file)


def test_without_a_writable_folder_sessions_work_until_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    assert len(kept_secret(tmp_path / "file" / "hall.page_secret.json")) == 32
    assert "will not outlast a restart" in caplog.text
