"""The installer's --page: the page is switched on in the configuration file, and everything else stays."""

import os
import tomllib
from pathlib import Path

import pytest

from edge.config.switch_page import main, rewrite, switch_page
from edge.errors import EXIT_CONFIG, EXIT_OK, ConfigError
from tests.support import ROOT

SHIPPED = (ROOT / "config/edge-pose.toml").read_text(encoding="utf-8")


def test_in_the_shipped_file_only_two_values_change() -> None:
    after, changed = rewrite(SHIPPED)
    assert changed == {"enabled": "true", "host": '"0.0.0.0"'}
    lines = zip(SHIPPED.splitlines(), after.splitlines(), strict=True)
    different = [(before, now) for before, now in lines if before != now]
    assert [now.split(" #")[0].rstrip() for _, now in different] == ["enabled = true", 'host = "0.0.0.0"']
    for before, now in different:
        assert before[before.index("#") :] == now[now.index("#") :]
        assert before.index("#") == now.index("#")  # comments stay aligned


@pytest.mark.parametrize(
    "text",
    [
        "", '[mqtt]\nhost = "a"\n', "web.enabled = false\n[mqtt]\n", "web = {port = 80}\n", '[[zones]]\nname = "a"\n',
        '[web]\nenabled = true\nhost = "::1"\n', "[web]\r\nenabled = false\r\n",
    ],
    ids=["empty", "no-table", "dotted", "inline", "after-zones", "ipv6-loopback", "windows"],
)  # fmt: skip
def test_every_way_to_write_the_table_works(text: str) -> None:
    after, _ = rewrite(text)
    before, now = tomllib.loads(text), tomllib.loads(after)
    assert (now["web"]["enabled"], now["web"]["host"]) == (True, "0.0.0.0")  # noqa: S104
    before.setdefault("web", {}).update(enabled=True, host=now["web"]["host"])
    assert now == before
    assert rewrite(after) == (after, {})


def test_an_address_of_the_owner_is_kept() -> None:
    text = '[web]\nenabled = false\nhost = "192.168.1.5"  # wired\nport = 443\n'
    assert rewrite(text) == (text.replace("false", "true"), {"enabled": "true"})


def test_a_file_keeps_its_permissions_and_is_not_written_without_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "edge-pose.toml"
    file.write_text(SHIPPED)
    file.chmod(0o640)
    assert main([str(file)]) == EXIT_OK
    assert capsys.readouterr().out == f'{file}: web.enabled = true, web.host = "0.0.0.0"\n'
    assert file.stat().st_mode & 0o777 == 0o640
    before = file.stat()
    assert switch_page(file) == ""
    assert os.path.samestat(before, file.stat())


def test_a_damaged_or_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "edge-pose.toml"
    with pytest.raises(ConfigError) as missing:
        switch_page(file)
    assert (missing.value.key, "by hand" in missing.value.remedy) == (str(file), True)
    file.write_text("[web\n")
    assert main([str(file)]) == EXIT_CONFIG
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert file.read_text() == "[web\n"
