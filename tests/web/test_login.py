"""The password, and what it protects."""

import base64
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from edge.web import attempts
from edge.web.pages import AGAIN, MESSAGE, STATIC
from edge.web.sessions import SESSION_S
from tests.support.waiting import until
from tests.web.opened import PASSWORD, Page, opened, with_password

OTHER = "127.0.0.2"  # another address, from which the page can be asked as well


def basic(password: str, user: str = "prometheus") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_without_a_session_the_page_leads_to_the_login(locked: Page) -> None:
    answer = locked.ask("GET", "/")
    assert (answer.status, answer.headers["Location"]) == (302, "/login")
    answer = locked.ask("GET", "/login")
    assert (answer.status, answer.body) == (200, (STATIC / "login.html").read_bytes())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/live"), ("POST", "/settings/fall"), ("POST", "/settings/nothing"), ("POST", "/requests/clear_fall"),
        ("PUT", "/places"), ("DELETE", "/places"), ("POST", "/pictures"), ("DELETE", "/pictures"),
        ("GET", "/picture.jpg"), ("GET", "/metrics"), ("HEAD", "/metrics"),
    ],
)  # fmt: skip
def test_everything_else_needs_a_session(locked: Page, method: str, path: str) -> None:
    answer = locked.ask(method, path, {"value": "OFF"} if method in {"POST", "PUT"} else None)
    assert answer.status == 401
    assert locked.sensor.config == locked.sensor.file
    assert locked.sensor.requests == []


@pytest.mark.parametrize("path", ["/healthz", "/static/page.css", "/login"])
def test_some_addresses_are_open_to_all(locked: Page, path: str) -> None:
    assert locked.ask("GET", path).status == 200


def test_the_right_password_opens_the_page(locked: Page) -> None:
    answer = locked.log_in()
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert locked.ask("GET", "/").body == (STATIC / "index.html").read_bytes()
    assert locked.ask("POST", "/settings/fall", {"value": "OFF"}).status == 200
    assert locked.ask("GET", "/metrics").status == 200
    assert locked.ask("GET", "/login").headers["Location"] == "/"


def test_scripts_and_other_sites_do_not_get_the_cookie(locked: Page) -> None:
    name, *attributes = locked.log_in().headers["Set-Cookie"].split("; ")
    assert name.startswith(f"edge_pose_{locked.port}=")
    assert sorted(attributes) == ["HttpOnly", f"Max-Age={SESSION_S}", "Path=/", "SameSite=Strict"]


def test_with_tls_the_cookie_is_never_sent_without_it(remote: Page) -> None:
    assert "Secure" in remote.log_in().headers["Set-Cookie"].split("; ")
    assert remote.ask("GET", "/").status == 200


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "<script>", "é" * 1000])
def test_a_wrong_password_is_refused_with_a_message(locked: Page, password: str) -> None:
    answer = locked.log_in(password)
    assert answer.status == 401
    assert b"The password is wrong." in answer.body
    assert b'role="alert"' in answer.body
    assert MESSAGE not in answer.body
    assert "Set-Cookie" not in answer.headers
    assert "<script>" not in answer.text


@pytest.mark.parametrize("body", ["", "password", "password=&password=x", "\xff\xfe", "a=b&" * 9999, "password=%ff"])
def test_a_broken_form_is_refused(locked: Page, body: str) -> None:
    answer = locked.ask("POST", "/login", body.encode("latin-1"), Content_Type="application/x-www-form-urlencoded")
    assert answer.status in {400, 401}
    assert "Set-Cookie" not in answer.headers


def test_logging_out_ends_the_session_of_the_browser(locked: Page) -> None:
    locked.log_in()
    answer = locked.ask("POST", "/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/login")
    assert answer.headers["Set-Cookie"].startswith(f'edge_pose_{locked.port}="";')


def test_a_link_from_another_site_opens_the_page_with_the_session(locked: Page) -> None:
    """The browser keeps the cookie back for the first request, and sends it when the page opens itself."""
    answer = locked.ask("GET", "/", Sec_Fetch_Site="cross-site")
    assert (answer.status, answer.body) == (200, AGAIN)
    assert locked.ask("GET", "/", Sec_Fetch_Site="same-origin").status == 302


def test_a_restart_keeps_the_session_and_a_new_password_ends_it(tmp_path: Path) -> None:
    keys = with_password(tmp_path)
    with opened(keys) as page:
        page.log_in()
    for password, status in ((PASSWORD, 200), ("new password", 302)):
        with opened({"port": page.port, **with_password(tmp_path, password)}) as again:
            again.cookie = page.cookie
            assert again.ask("GET", "/").status == status
    secret = tmp_path / "state" / "hall.page_secret.json"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_prometheus_may_use_the_password_with_any_user_name(locked: Page) -> None:
    refused = locked.ask("GET", "/metrics")
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert locked.ask("GET", "/metrics", Authorization=basic(PASSWORD)).status == 200
    assert locked.ask("GET", "/metrics", Authorization=basic(PASSWORD, user="")).status == 200


@pytest.mark.parametrize(
    "header", [basic("wrong"), basic(""), "Basic", "Basic ?", f"Bearer {PASSWORD}", PASSWORD, "Basic 4pyT"]
)
def test_other_credentials_do_not_open_the_metrics(locked: Page, header: str) -> None:
    assert locked.ask("GET", "/metrics", Authorization=header).status == 401


def test_basic_authentication_opens_only_the_metrics(locked: Page) -> None:
    assert locked.ask("GET", "/live", Authorization=basic(PASSWORD)).status == 401
    answer = locked.ask("POST", "/settings/fall", {"value": "OFF"}, Authorization=basic(PASSWORD))
    assert answer.status == 401


def test_a_thousand_wrong_passwords_disturb_only_their_sender(locked: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSE_S", 3600.0)  # for a busy machine
    locked.log_in(address=OTHER)
    with closing(locked.connection()) as connection:
        statuses = []
        for number in range(1000):
            connection.request("POST", "/login", urlencode({"password": str(number)}),
                               {"Host": locked.host, "Origin": locked.origin,
                                "Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    assert statuses == [401] * attempts.FREE + [429] * (1000 - attempts.FREE)
    refused = locked.log_in()
    assert refused.status == 429
    assert 3000 < int(refused.headers["Retry-After"]) <= 3600
    assert b"Too many wrong passwords" in refused.body
    assert locked.ask("GET", "/").status == 200, "the session goes on, also at the address of the wrong passwords"
    assert locked.log_in(address="127.0.0.3").status == 303, "other addresses can log in at once"
    monkeypatch.setattr(attempts, "PAUSE_S", 0.1)
    until(lambda: locked.log_in().status == 303)


def test_wrong_passwords_for_the_metrics_count_as_well(locked: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSE_S", 3600.0)
    statuses = [locked.ask("GET", "/metrics", Authorization=basic(str(number))).status for number in range(10)]
    assert statuses == [401] * attempts.FREE + [429] * (10 - attempts.FREE)
    assert locked.log_in().status == 429
