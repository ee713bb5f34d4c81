"""Show the report of `edge-pose evaluate` as tables."""

from typing import Any

from rich.console import Console
from rich.table import Table


def show(report: dict[str, Any]) -> None:
    """Print the report to standard output."""
    out = Console(highlight=False)
    out.print(_facts(report))
    out.print(_accuracy(report["oks"]))
    out.print(_keypoints(report["keypoints"]))
    for name, meaning in report["definitions"].items():
        out.print(f"{name}: {meaning}", style="dim")
    out.print(_latency(report["latency_ms"]))


def _facts(report: dict[str, Any]) -> Table:
    model, runtime, pictures = report["model"], report["runtime"], report["pictures"]
    height, width = model["input_size"]
    grid = Table.grid(padding=(0, 2))
    grid.add_row("model", f"{model['name']} at {height}x{width}, sha256 {model['sha256'][:12]}…")
    grid.add_row("runtime", f"{runtime['name']} on {runtime['backend']}, {runtime['threads']} threads")
    grid.add_row("decode", ", ".join(f"{key} {value}" for key, value in report["decode"].items()))
    grid.add_row("versions", ", ".join(f"{name} {value}" for name, value in report["versions"].items()))
    grid.add_row("machine", report["machine"])
    skipped = len(pictures["skipped"])
    grid.add_row("pictures", f"{pictures['evaluated']} of {pictures['listed']}, {skipped} skipped")
    grid.add_row("persons", ", ".join(f"{count} {what}" for what, count in report["persons"].items()))
    return grid


def _accuracy(oks: dict[str, float | None]) -> Table:
    table = _table("", "OKS 0.50:0.95", "0.50", "0.75", "medium", "large")
    for name in ("AP", "AR"):
        table.add_row(name, *(_cell(oks[name + suffix], ".3f") for suffix in ("", "50", "75", "m", "l")))
    return table


def _keypoints(keypoints: dict[str, dict[str, Any]]) -> Table:
    table = _table("keypoints of matched persons", "annotated", "recall", "pck", "median error px")
    for name, measures in keypoints.items():
        values = (
            _cell(measures["recall"], ".1%"),
            _cell(measures["pck"], ".1%"),
            _cell(measures["median_error_px"], ".1f"),
        )
        table.add_row(name, str(measures["annotated"]), *values, end_section=name == "all")
    return table


def _latency(latency_ms: dict[str, dict[str, float]]) -> Table:
    percentiles = next(iter(latency_ms.values()))
    table = _table("latency ms", *percentiles)
    for stage, values in latency_ms.items():
        table.add_row(stage, *(f"{values[name]:.2f}" for name in percentiles))
    return table


def _table(*headers: str) -> Table:
    table = Table(*headers)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
