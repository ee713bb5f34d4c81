"""The broker's password, from a file or a systemd credential."""

from pathlib import Path

import pytest

from edge.config import Mqtt, find_credential, load, password
from edge.errors import ConfigError


def test_the_password_comes_from_a_file_without_its_newline(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    mqtt = Mqtt(username="u", password_file=str(secret))
    secret.write_text("pass word \n")
    assert password(mqtt, {}) == "pass word "


@pytest.mark.parametrize(
    ("content", "problem"), [(b"\n", "is empty"), (b"s3cret\xff", "not UTF-8 text"), (None, "Is a directory")]
)
def test_an_unusable_password_file_is_a_configuration_error(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    secret = tmp_path / "secret"
    if content is None:
        secret.mkdir()
    else:
        secret.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        password(Mqtt(username="u", password_file=str(secret)), {})
    assert refused.value.key == "mqtt.password_file"
    assert str(secret) in refused.value.problem
    assert problem in refused.value.problem
    assert "s3cret" not in str(refused.value)


def test_the_password_can_be_a_systemd_credential(tmp_path: Path) -> None:
    mqtt, environ = Mqtt(username="u"), {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert password(mqtt, {}) is None
    assert password(mqtt, environ) is None
    (tmp_path / "mqtt_password").write_text("s3cret")
    assert password(mqtt, environ) == "s3cret"
    (tmp_path / "mqtt_password").write_text("")  # what the unit sets if the file does not exist
    assert password(mqtt, environ) is None


def test_a_command_started_by_hand_uses_the_services_password_if_it_may_read_it(tmp_path: Path) -> None:
    mqtt, environ = Mqtt(username="u"), dict[str, str]()
    find_credential(environ, tmp_path)
    assert password(mqtt, environ) is None
    (tmp_path / "mqtt_password").write_text("s3cret\n")
    find_credential(environ, tmp_path)
    assert password(mqtt, environ) == "s3cret"
    systemd = {"CREDENTIALS_DIRECTORY": str(tmp_path / "systemd")}
    find_credential(systemd, tmp_path)
    assert password(mqtt, systemd) is None, "the folder that systemd set takes precedence"


def test_the_configuration_never_contains_the_password(tmp_path: Path) -> None:
    secret, path = tmp_path / "secret", tmp_path / "edge-pose.toml"
    secret.write_text("s3cret")
    path.write_text(f'[mqtt]\nhost = "broker"\nusername = "u"\npassword_file = "{secret}"')
    assert "s3cret" not in repr(load(path, {}))
