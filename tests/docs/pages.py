"""The pages that a user reads, and what is in them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support import ROOT

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_INDENTED = re.compile(r"^(?: {4}\S.*\n?)+", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `mark` is the text of the HTML comment in the line above it."""

    page: str
    language: str
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown page; `name` is its path in the repository."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The page without its fenced and indented blocks."""
        return _INDENTED.sub("", _FENCE.sub("", self.text))

    @property
    def blocks(self) -> list[Block]:
        return [
            Block(self.name, found["language"], found["mark"] or "", found["text"])
            for found in _FENCE.finditer(self.text)
        ]

    @property
    def commands(self) -> list[str]:
        """Indented lines and inline code: what a reader may type."""
        indented = [
            line.strip() for block in _INDENTED.findall(_FENCE.sub("", self.text)) for line in block.splitlines()
        ]
        return indented + re.findall(r"`([^`\n]+)`", self.prose)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(_FENCE.sub("", self.text))

    @property
    def anchors(self) -> set[str]:
        """The anchors that GitHub gives to the headings."""
        return {_anchor(heading) for heading in _HEADING.findall(_FENCE.sub("", self.text))}

    def section(self, heading: str) -> str:
        """The text below a heading, as far as the next one of the same or a higher level."""
        found = re.search(rf"^(#+) {re.escape(heading)}\n", self.text, re.MULTILINE)
        assert found is not None, f"{self.name} has no section {heading!r}"
        rest = self.text[found.end() :]
        end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest


def _anchor(heading: str) -> str:
    plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@cache
def pages() -> tuple[Page, ...]:
    """Every page, in a stable order."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    return tuple(Page(path.relative_to(ROOT).as_posix()) for path in sorted(set(found)))


def blocks(language: str) -> list[Block]:
    """Every block of a language on every page."""
    return [block for page in pages() for block in page.blocks if block.language == language]
