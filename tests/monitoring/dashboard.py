"""What is in the dashboard for Grafana."""

import json
from typing import Any

from tests.support import ROOT

DASHBOARD = json.loads((ROOT / "docs/monitoring/grafana.json").read_text(encoding="utf-8"))


def panels() -> list[dict[str, Any]]:
    return list(DASHBOARD["panels"])


def variables() -> dict[str, str]:
    """The queries of the variables, by name."""
    listed = DASHBOARD["templating"]["list"]
    return {one["name"]: one["query"]["query"] for one in listed if one["type"] == "query"}


def annotations() -> list[str]:
    return [one["expr"] for one in DASHBOARD["annotations"]["list"]]


def expressions(job: str, instance: str) -> list[str]:
    """Every expression, with the variables replaced as Grafana does it."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]] + annotations()
    values = {"$job": job, "$instance": instance, "$__rate_interval": "1m", "$__range": "1h"}
    for name, value in values.items():
        found = [one.replace(name, value) for one in found]
    assert not [one for one in found if "$" in one]
    return found
