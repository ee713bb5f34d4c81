"""docs/monitoring: the dashboard and the alerts use metrics that exist, and Prometheus accepts them."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.mqtt.events import read_state
from edge.mqtt.messages import Health, Info
from edge.mqtt.topics import Topics
from edge.web.metrics import Metrics
from tests.docs.pages import Page
from tests.monitoring.dashboard import annotations, expressions, panels, variables
from tests.support import ROOT
from tests.support.prometheus import promtool

ALERTS = ROOT / "docs/monitoring/alerts.yml"
PAGE = Page("docs/monitoring.md")
TOPICS = Topics("edge-pose", "hall")


def text() -> str:
    """Metrics of a sensor that knows everything."""
    examples = {block.mark.removeprefix("message: "): block.text for block in Page("docs/mqtt.md").blocks}
    health = msgspec.json.decode(examples["health"], type=Health)
    info = msgspec.json.decode(examples["info"], type=Info)
    metrics = Metrics(TOPICS)
    metrics.message(TOPICS.state_message(read_state(examples["state"]), 30))
    known = msgspec.structs.replace(health, recording_dropped=0, throttled=False, soc_temperature_c=50.0)
    return metrics.render(known, info, connected=True).decode()


def samples() -> set[str]:
    """The names of all samples, such as edge_pose_frame_seconds_bucket."""
    return {sample.name for family in text_string_to_metric_families(text()) for sample in family.samples}


def named_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:edge_pose|process)_\w+", expression))


def test_prometheus_has_no_complaint_about_names_and_types() -> None:
    checked = promtool("check", "metrics", text=text())
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"].replace(" ", "-"))
def test_a_panel_shows_metrics_that_exist(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        named = named_in(target["expr"])
        assert named, target
        assert named <= samples()


def test_variables_and_annotations_use_metrics_that_exist() -> None:
    for expression in [*variables().values(), *annotations()]:
        assert named_in(expression), expression
        assert named_in(expression) <= samples()


def test_panels_have_their_own_numbers_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(expressions("edge-pose", ".*"))]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_use_metrics_that_exist() -> None:
    named = named_in(ALERTS.read_text(encoding="utf-8"))
    assert len(named) > 5
    assert named <= samples()


def test_prometheus_accepts_the_alerts() -> None:
    checked = promtool("check", "rules", ALERTS)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_fires_when_it_should_and_not_before() -> None:
    cases = Path(__file__).with_name("alerts_test.yml")
    tested = promtool("test", "rules", cases)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    alerts = re.findall(r"alert: (\w+)", ALERTS.read_text(encoding="utf-8"))
    for alert in alerts:
        fires = rf"alertname: {alert}\n +exp_alerts:\n +- exp_labels"
        assert re.search(fires, cases.read_text(encoding="utf-8")), alert
        assert f"{{eval_time: 60m, alertname: {alert}, exp_alerts: []}}" in cases.read_text(encoding="utf-8")


def test_every_metric_and_alert_is_documented() -> None:
    families = {name for name in samples() if name.startswith("edge_pose_")}
    families = {re.sub(r"_seconds_(?:bucket|count|sum)$", "_seconds", name) for name in families}
    documented = set(re.findall(r"^\| `(edge_pose_\w+)", PAGE.section("Metrics"), re.MULTILINE))
    assert documented == families
    alerts = re.findall(r"alert: (\w+)", ALERTS.read_text(encoding="utf-8"))
    assert re.findall(r"^\| `(EdgePose\w+)` \|", PAGE.section("Alerts"), re.MULTILINE) == alerts
