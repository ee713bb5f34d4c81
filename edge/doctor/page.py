"""The page: its password, whether it answers, its certificate, and what it says about the sensor."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from edge.config import Config, Web, web_password
from edge.config.checks import check_web
from edge.config.credentials import FOLDER, WEB_CREDENTIAL
from edge.doctor.broker import DAY_S, EXPIRES_SOON_DAYS
from edge.doctor.result import Result, from_error
from edge.errors import ConfigError
from edge.web.visit import Visit, expires_s, urls, visit

SHORT_PASSWORD = 8  # characters
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def page(root: Path, config: Config) -> Iterator[Result]:
    """A line per part of the page; only one if it is off or cannot work."""
    web = config.web
    if not web.enabled:
        yield Result("page", "ok", "off; sudo ./systemd/install.sh --page or web.enabled = true switches it on")
        return
    try:
        check_web(web)
    except ConfigError as exc:
        yield from_error("page", exc)
        return
    yield _password(root, web)
    seen = visit(web)
    yield _answer(web, seen)
    if seen.certificate:
        yield _certificate(web, seen)
    if not seen.problem:
        well = seen.status == 200
        yield Result("page health", "ok" if well else "warning", seen.text, "" if well else "see the lines above")


def _password(root: Path, web: Web) -> Result:
    file = Path(web.password_file) if web.password_file else root / FOLDER.relative_to("/") / WEB_CREDENTIAL
    if not web.password_file and not file.exists():
        return Result("page password", "ok", "none; only this machine can open the page")
    try:
        # Outside the service, read the file that the unit loads as a credential.
        given = web_password(web, {"CREDENTIALS_DIRECTORY": str(file.parent), **os.environ})
    except ConfigError as exc:
        return from_error("page password", exc)
    if file.stat().st_mode & _OTHERS:
        return Result("page password", "warning", f"other users can read {file}", f"sudo chmod 600 {file}")
    if not given:
        return Result("page password", "warning", f"{file} is empty", "write the password of the page into it")
    if len(given) < SHORT_PASSWORD:
        short = f"the one in {file} has fewer than {SHORT_PASSWORD} characters"
        return Result("page password", "warning", short, "choose a longer one, and restart the service")
    return Result("page password", "ok", f"in {file}")


def _answer(web: Web, seen: Visit) -> Result:
    url = urls(web)[0]
    if not seen.problem:
        return Result("page", "ok", f"{url} answers")
    fix = "is the service running? See journalctl -u edge-pose, and restart it after a change of the configuration"
    if seen.status:
        fix = "choose another web.port"
    elif web.beyond_loopback and not web.cert_file and shutil.which("openssl") is None:
        fix = "sudo apt install openssl, which makes the certificate"
    return Result("page", "warning", f"{url}: {seen.problem}", fix)


def _certificate(web: Web, seen: Visit) -> Result:
    text = f"SHA-256 {seen.fingerprint}"
    fix = "renew it, and restart the service" if web.cert_file else "restart the service, which makes a new one"
    try:
        left_days = (expires_s(web, seen.certificate) - time.time()) / DAY_S
    except OSError as exc:
        return Result("page certificate", "warning", f"{text}: {getattr(exc, 'verify_message', None) or exc}", fix)
    if left_days < EXPIRES_SOON_DAYS:
        return Result("page certificate", "warning", f"{text}, valid for {left_days:.0f} more days", fix)
    return Result("page certificate", "ok", f"{text}, valid for {left_days:.0f} more days")
