"""Show the results of `edge-pose doctor`: a screen for people, a list for programs."""

from rich.console import Console
from rich.text import Text

from edge.doctor.result import Level, Report

_MARKS: dict[Level, str] = {"ok": "✓", "unknown": "?", "warning": "!", "problem": "✗"}
_PLAIN_MARKS: dict[Level, str] = {"ok": "+", "unknown": "?", "warning": "!", "problem": "X"}
_STYLES: dict[Level, str] = {"ok": "green", "unknown": "cyan", "warning": "bold yellow", "problem": "bold red"}


def as_json(report: Report) -> list[dict[str, str]]:
    """A flat list for programs."""
    return [
        {"group": title, "name": result.name, "level": result.level, "text": result.text, "fix": result.fix}
        for title, results in report.items()
        for result in results
    ]


def show(report: Report) -> None:
    """Print one screen. Lines are neither wrapped nor cut, so that they can be copied."""
    console = Console(highlight=False)
    marks = _MARKS if console.encoding.startswith("utf") else _PLAIN_MARKS  # other encodings print a tick as "?"
    levels = [result.level for results in report.values() for result in results]
    width = max(len(result.name) for results in report.values() for result in results)
    for title, results in report.items():
        console.print(Text(title, style="bold"), soft_wrap=True)
        for result in results:
            style = _STYLES[result.level]
            line = Text.assemble("  ", (marks[result.level], style), f" {result.name:<{width}}  ")
            line.append(f"unknown: {result.text}" if result.level == "unknown" else result.text)
            console.print(line, soft_wrap=True)
            if result.fix:
                console.print(Text(f"    {'':<{width}}  → {result.fix}", style=style), soft_wrap=True)
    counts = [f"{levels.count(level)} {level}{'s' * (levels.count(level) != 1)}" for level in ("problem", "warning")]
    unknown = f", {levels.count('unknown')} unknown" if "unknown" in levels else ""
    console.print(f"{counts[0]}, {counts[1]}{unknown}")


def has_problem(report: Report) -> bool:
    """Whether anything keeps the sensor from working."""
    return any(result.level == "problem" for results in report.values() for result in results)
