"""Where the page of this sensor is, as text, as JSON, and as a QR code."""

import sys
from pathlib import Path
from typing import Any, TextIO

import segno

from edge.config import DEFAULT_PATH, Config
from edge.config.credentials import FOLDER, WEB_CREDENTIAL, has_web_password
from edge.web.visit import urls, visit

_BLACK_ON_WHITE, _PLAIN = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
_BORDER = 2  # modules
_HALVES = " ▄▀█"  # by upper * 2 + lower: whether each is dark


def describe(config: Config) -> dict[str, Any]:
    """The facts about the page."""
    web = config.web
    facts: dict[str, Any] = {
        "enabled": web.enabled, "remote": False, "addresses": [], "listening": False, "problem": None,
        "fingerprint": None, "password_file": None,
    }  # fmt: skip
    if not web.enabled:
        return facts
    seen = visit(web)
    kept = web.password_file or str(FOLDER / WEB_CREDENTIAL)
    return facts | {
        "remote": web.beyond_loopback,
        "addresses": urls(web),
        "listening": not seen.problem,
        "problem": seen.problem or None,
        "fingerprint": seen.fingerprint or None,
        "password_file": kept if has_web_password(web) else None,
    }


def show(facts: dict[str, Any], file: Path | None, out: TextIO = sys.stdout) -> None:
    """Print the facts; on a terminal, also a QR code of the first address for a phone, without the password."""
    if not facts["enabled"]:
        out.write(
            f"the page is off; set web.enabled = true in {file or DEFAULT_PATH} and restart the service, "
            "or run the installer again: sudo ./systemd/install.sh --page\n"
        )
        return
    lines = [("page", address) for address in facts["addresses"]]
    if facts["fingerprint"]:
        lines.append(("certificate", f"SHA-256 {facts['fingerprint']}"))
    lines.append(("password", f"in {facts['password_file']}" if facts["password_file"] else "none"))
    lines.append(("state", "it answers" if facts["listening"] else f"it does not answer: {facts['problem']}"))
    if not facts["remote"]:
        lines.append(("open to", "this machine only; docs/page.md says how to open it to others"))
    previous = ""
    for title, text in lines:
        out.write(f"{'' if title == previous else title:<12} {text}\n")
        previous = title
    if facts["remote"] and out.isatty() and _can_encode(out):
        out.write("\n" + qr_code(facts["addresses"][0]))


def qr_code(text: str) -> str:
    """A QR code for terminals, black on white on every background; each character is two modules high."""
    rows = [list(row) for row in segno.make_qr(text).matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    lines = ("".join(_HALVES[2 * upper + lower] for upper, lower in zip(*pair, strict=True)) for pair in pairs)
    return "".join(f"{_BLACK_ON_WHITE}{line}{_PLAIN}\n" for line in lines)


def _can_encode(out: TextIO) -> bool:
    try:
        _HALVES.encode(out.encoding)
    except UnicodeEncodeError:
        return False
    return True
