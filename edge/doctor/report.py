"""What `edge-pose doctor` found: one screen for people, a list for machines."""

from rich.console import Console
from rich.text import Text

from edge.doctor.machine import Level, Report

_MARKS: dict[Level, str] = {"ok": "✓", "unknown": "?", "warning": "!", "problem": "✗"}
_PLAIN_MARKS: dict[Level, str] = {"ok": "+", "unknown": "?", "warning": "!", "problem": "X"}
_STYLES: dict[Level, str] = {"ok": "green", "unknown": "cyan", "warning": "bold yellow", "problem": "bold red"}


def as_json(report: Report) -> list[dict[str, str]]:
    """A flat list for machines."""
    return [
        {"group": title, "name": one.name, "level": one.level, "text": one.text, "fix": one.fix}
        for title, findings in report.items()
        for one in findings
    ]


def show(report: Report) -> None:
    """One screen; lines are never broken or cut, so that they can be copied."""
    console = Console(highlight=False)
    marks = _MARKS if console.encoding.startswith("utf") else _PLAIN_MARKS  # or a tick would become a question mark
    levels = [one.level for findings in report.values() for one in findings]
    width = max(len(one.name) for findings in report.values() for one in findings)
    for title, findings in report.items():
        console.print(Text(title, style="bold"), soft_wrap=True)
        for one in findings:
            style = _STYLES[one.level]
            line = Text.assemble("  ", (marks[one.level], style), f" {one.name:<{width}}  ")
            line.append(f"unknown: {one.text}" if one.level == "unknown" else one.text)
            console.print(line, soft_wrap=True)
            if one.fix:
                console.print(Text(f"    {'':<{width}}  → {one.fix}", style=style), soft_wrap=True)
    counts = [f"{levels.count(level)} {level}{'s' * (levels.count(level) != 1)}" for level in ("problem", "warning")]
    unknown = f", {levels.count('unknown')} unknown" if "unknown" in levels else ""
    console.print(f"{counts[0]}, {counts[1]}{unknown}")


def has_problem(report: Report) -> bool:
    return any(one.level == "problem" for findings in report.values() for one in findings)
