"""Reports of constructed recordings, and a reader of their pages."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, tzinfo
from pathlib import Path

from edge.recording.read import Flaw
from edge.recording.replay import Setup
from edge.report.make import make
from edge.report.page import Report, page
from edge.service.rules import config_of_rules, open_rules, reconfigure
from tests.support.days import Script

NOON_S = 1_796_126_400.0  # 2026-12-01 12:00 UTC
SPACE = "{http://www.w3.org/1999/xhtml}"
SETUP = Setup(
    lambda header: open_rules(config_of_rules(header.rules, header.device)),
    lambda rules, header: reconfigure(rules, config_of_rules(header.rules, header.device)),
)


def report_of(folder: Path, *scripts: Script, zone: tzinfo | None = UTC) -> tuple[Report, list[Flaw]]:
    """A report of these recordings, each in a file of its own, and what was reported meanwhile."""
    paths = [script.write(folder / f"{number}.jsonl") for number, script in enumerate(scripts)]
    return report_of_files(*paths, zone=zone)


def report_of_files(*paths: Path, zone: tzinfo | None = UTC) -> tuple[Report, list[Flaw]]:
    flaws: list[Flaw] = []
    configured = lambda header: config_of_rules(header.rules, header.device)  # noqa: E731
    return make(paths, SETUP, configured, flaws.append, zone=zone), flaws


def tree_of(report: Report) -> ET.Element:
    """The page, read as XML."""
    return ET.fromstring(page(report))  # noqa: S314 - our own page


def text_of(element: ET.Element) -> str:
    """All text, with plain spaces."""
    return " ".join("".join(element.itertext()).split())


def found(tree: ET.Element, class_: str) -> Iterator[ET.Element]:
    """The elements that have a class."""
    return (one for one in tree.iter() if class_ in one.get("class", "").split())
