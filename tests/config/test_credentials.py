"""The passwords of the broker and of the page, from files or systemd credentials."""

from pathlib import Path

import pytest

from edge.config import Mqtt, Web, as_home, find_credential, load, password, web_password
from edge.config.credentials import has_web_password
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


def test_the_password_of_a_login_takes_precedence(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "mqtt_password").write_text("shared")
    (tmp_path / "mqtt_password_door").write_text("of the door")
    (tmp_path / "mqtt_password_hall").write_text("\n")  # what the unit sets if the file does not exist
    found = {name: password(Mqtt(username=name), environ) for name in ("door", "hall", "attic", "../etc/door")}
    assert found == {"door": "of the door", "hall": "shared", "attic": "shared", "../etc/door": "shared"}


def test_a_command_by_hand_uses_the_password_of_home_without_a_password_of_the_service(tmp_path: Path) -> None:
    environ = dict[str, str]()
    (tmp_path / "mqtt_password_home").write_text("s3cret")
    find_credential(environ, tmp_path)
    assert password(Mqtt(username="home"), environ) == "s3cret"


def test_home_is_used_only_if_its_password_is_here_and_no_user_is_named(tmp_path: Path) -> None:
    mqtt = Mqtt(username="edge-pose", password_file=str(tmp_path / "other"))
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert as_home(mqtt, {}) == as_home(mqtt, environ) == mqtt
    (tmp_path / "mqtt_password_home").write_text("s3cret")
    assert as_home(mqtt, {**environ, "EDGE_POSE_MQTT__USERNAME": "edge-pose"}) == mqtt
    home = as_home(mqtt, environ)
    assert (home.username, password(home, environ)) == ("home", "s3cret")


def test_the_configuration_never_contains_the_password(tmp_path: Path) -> None:
    secret, path = tmp_path / "secret", tmp_path / "edge-pose.toml"
    secret.write_text("s3cret")
    path.write_text(f'[mqtt]\nhost = "broker"\nusername = "u"\npassword_file = "{secret}"')
    assert "s3cret" not in repr(load(path, {}))


def test_the_password_of_the_page_comes_from_its_file_or_the_credential(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "mqtt_password").write_text("of the broker")
    assert web_password(Web(), environ) is None
    (tmp_path / "web_password").write_text("\n")  # what the unit sets if the file does not exist
    assert web_password(Web(), environ) is None
    (tmp_path / "web_password").write_text("of the page\n")
    assert web_password(Web(), {}) is None
    assert web_password(Web(), environ) == "of the page"
    (tmp_path / "other").write_text("from the file\n")
    assert web_password(Web(password_file=str(tmp_path / "other")), environ) == "from the file"


def test_an_empty_file_is_no_password_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError) as refused:
        web_password(Web(password_file=str(tmp_path / "empty")), {})
    assert refused.value.key == "web.password_file"


def test_a_command_without_rights_knows_whether_the_page_has_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not has_web_password(Web(), {}, tmp_path)
    kept = tmp_path / "web_password"
    kept.write_text("\n")
    assert not has_web_password(Web(), {}, tmp_path)
    kept.write_text("s3cret\n")
    assert has_web_password(Web(), {}, tmp_path)
    monkeypatch.setattr("os.access", lambda _file, _mode: False)  # root may read every file
    assert has_web_password(Web(), {}, tmp_path)


def test_a_command_by_hand_uses_the_password_of_the_page_without_one_of_the_broker(tmp_path: Path) -> None:
    environ = dict[str, str]()
    (tmp_path / "web_password").write_text("s3cret\n")
    find_credential(environ, tmp_path)
    assert web_password(Web(), environ) == "s3cret"
