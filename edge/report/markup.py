"""Build HTML and SVG that are well-formed XML as well. All text is escaped unless it is markup already."""

import re
from collections.abc import Iterable
from html import escape
from typing import Any, TypeAlias


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


# A damaged recording may have any character in a name.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")

Child: TypeAlias = str | Iterable[Any] | None  # iterables of children
Value: TypeAlias = str | float | bool | None


def el(name: str, /, *children: Child, **attributes: Value) -> Html:
    """An element. `class_` stands for class, and `_` in names for `-`; attributes that are None or False are left out.

    SVG's camel case names are written as they are.
    """
    start = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    content = join(children)
    void = name in {"meta", "br", "rect", "path", "line", "circle", "col"} and not content
    return Html(f"<{name}{start}/>" if void else f"<{name}{start}>{content}</{name}>")


def join(children: Iterable[Child]) -> Html:
    """The children one after the other, without any None."""
    return Html("".join(_markup(child) for child in children))


def scrolling(label: str, content: Child) -> Html:
    """Content that may be wider than a phone. Keys can scroll it, too."""
    return el("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def num(value: float) -> str:
    """A number as short as a drawing needs it."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def percent(share: float) -> str:
    """A length in CSS, as a share of the whole."""
    return f"{num(share * 100)}%"


def _markup(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, str):
        return child if isinstance(child, Html) else escape(_printable(child))
    return join(child)


def _printable(text: str) -> str:
    """The text without characters that XML does not allow, or that change the direction of what follows."""
    return _FORBIDDEN.sub("", text)


def _text(value: str | float | bool) -> str:
    if value is True:
        return ""
    return _printable(value) if isinstance(value, str) else num(value)
