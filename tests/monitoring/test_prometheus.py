"""Debian's Prometheus reads a running sensor: with https and a password, as docs/monitoring.md says."""

import base64
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.config import Web
from edge.system.state_dir import state_file
from edge.web.tls import open_tls
from tests.docs.pages import Page
from tests.monitoring.dashboard import expressions
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, MOSQUITTO, Mosquitto, accepts_connections, free_port, publish
from tests.support.pages import EVERYWHERE
from tests.support.prometheus import Prometheus, Series, program, prometheus, promtool
from tests.support.sensor import sensor
from tests.support.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

(EXAMPLE,) = (block.text for block in Page("docs/monitoring.md").blocks if block.language == "yaml")
PASSWORD = "correct horse"  # noqa: S105 - of the tests
# What the dashboard shows, and this sensor or this machine does not have.
ABSENT = ("recording_dropped", "zone_people", "temperature_celsius")


@dataclass(frozen=True, slots=True)
class Target:
    """A running sensor, and what Prometheus needs to read it."""

    broker: Mosquitto
    port: int
    password: Path
    certificate: Path

    @contextmanager
    def read(
        self, folder: Path, *, password: Path | None = None, certificate: Path | None = None
    ) -> Iterator[Prometheus]:
        """A Prometheus that reads it every second, with the configuration in docs/monitoring.md."""
        text = EXAMPLE
        for old, new in {
            "edge-pose-alerts.yml": ROOT / "docs/monitoring/alerts.yml",
            "15s": "1s",
            "/etc/prometheus/edge-pose.password": password or self.password,
            "/etc/prometheus/edge-pose.crt": f"{certificate or self.certificate}\n      server_name: localhost",
            "pi.local:8077": f"{LOOPBACK}:{self.port}",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, str(new))
        with prometheus(folder, f"global: {{evaluation_interval: 1s}}\n{text}") as server:
            yield server


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A sensor that sees a person fall, with the certificate that sensors make for themselves."""
    program("prometheus")
    if MOSQUITTO is None:
        pytest.skip("MOSQUITTO IS NOT INSTALLED: run: apt-get install mosquitto")
    folder, port = tmp_path_factory.mktemp("target"), free_port()
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIRECTORY", str(folder / "state"))
        open_tls(Web(enabled=True, host=EVERYWHERE), "test")
        certificate = state_file("page", "test", "pem")
    (copy,) = (line for line in Page("docs/monitoring.md").commands if line.startswith("openssl s_client"))
    broker = Mosquitto(folder).start()
    settings = {"camera.source": "synthetic:fall", "camera.fps": 15, "fall.confirm_s": 0.5, "web.enabled": True,
                "web.port": port, "web.password_file": password, "web.cert_file": certificate,
                "web.key_file": certificate}  # fmt: skip
    try:
        with sensor(folder, broker.port, settings):
            until(lambda: accepts_connections(port))
            subprocess.run(copy.replace("pi.local:8077", f"{LOOPBACK}:{port}"), shell=True, cwd=folder, check=True)  # noqa: S602
            yield Target(broker, port, password, folder / "edge-pose.crt")
    finally:
        broker.stop()


def value(series: Series) -> float | None:
    """The only value; None if there is none."""
    assert len(series) <= 1, series
    return next(iter(series.values()), None)


def test_a_sensor_with_https_and_a_password_is_read(target: Target, tmp_path: Path) -> None:
    with target.read(tmp_path) as server:
        until(lambda: value(server.query("up")) == 1)
        assert server.problem() == ""
        until(lambda: (value(server.query('rate(edge_pose_frames_total{outcome="processed"}[10s])')) or 0) > 1)
        assert value(server.query("edge_pose_mqtt_connected")) == 1
        assert value(server.query("edge_pose_mqtt_connects_total")) == 1
        assert value(server.query('edge_pose_camera{state="ok"}')) == 1
        counted = server.query("edge_pose_inference_seconds_count / on(instance) edge_pose_frame_seconds_count")
        assert value(counted) == 1
        # The painted person falls, is counted, and raises an alert.
        until(lambda: value(server.query("edge_pose_falls_total > 0")))
        until(lambda: value(server.query('ALERTS{alertname="EdgePoseFall", alertstate="firing"}')))
        until(lambda: value(server.query("edge_pose_people == 1")))


def test_prometheus_has_no_complaint_about_the_metrics(target: Target) -> None:
    request = urllib.request.Request(f"https://localhost:{target.port}/metrics")
    login = base64.b64encode(f"any name:{PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {login}")
    context = ssl.create_default_context(cafile=target.certificate)
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310
        checked = promtool("check", "metrics", text=answer.read().decode())
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_every_panel_of_the_dashboard_shows_something(target: Target, tmp_path: Path) -> None:
    with target.read(tmp_path) as server:
        until(lambda: value(server.query("edge_pose_falls_total > 0")))
        for expression in expressions("edge-pose", ".*"):
            quick = expression.replace("[1m]", "[5s]")
            if not any(part in quick for part in (*ABSENT, "> 0")):
                until(lambda quick=quick: server.query(quick))  # type: ignore[misc]
            else:
                server.query(quick)  # raises an error if Prometheus does not understand it


def test_while_the_camera_is_off_there_are_no_people_and_not_0(target: Target, tmp_path: Path) -> None:
    with target.read(tmp_path) as server:
        until(lambda: server.query("edge_pose_people"))
        publish(target.broker.port, "edge-pose/test/set/enabled", "OFF")
        until(lambda: value(server.query('edge_pose_camera{state="off"}')) == 1)
        until(lambda: not server.query("edge_pose_people"))
        until(lambda: not server.query("edge_pose_fall"))
        processed = 'edge_pose_frames_total{outcome="processed"}'
        before = value(server.query(processed)) or 0
        assert before > 0
        publish(target.broker.port, "edge-pose/test/set/enabled", "ON")
        until(lambda: server.query("edge_pose_people"))
        until(lambda: (value(server.query(processed)) or 0) > before)
        assert value(server.query(f"resets({processed}[1m])")) == 0


def test_when_the_broker_goes_away_the_sensor_is_still_read(target: Target, tmp_path: Path) -> None:
    with target.read(tmp_path) as server:
        until(lambda: value(server.query("edge_pose_mqtt_connected")) == 1)
        connects = value(server.query("edge_pose_mqtt_connects_total"))
        target.broker.stop()
        until(lambda: value(server.query("edge_pose_mqtt_connected")) == 0)
        until(lambda: (value(server.query("edge_pose_messages_dropped_total")) or 0) > 0)
        target.broker.start()
        until(lambda: value(server.query("edge_pose_mqtt_connected")) == 1)
        until(lambda: value(server.query("edge_pose_mqtt_connects_total")) == (connects or 0) + 1)


def test_another_certificate_is_refused(target: Target, tmp_path: Path, certificates: Path) -> None:
    with target.read(tmp_path, certificate=certificates / "ca.crt") as server:
        until(lambda: value(server.query("up")) == 0)
        assert "certificate" in server.problem()


def test_a_wrong_password_is_refused(target: Target, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("incorrect horse")
    with target.read(tmp_path, password=wrong) as server:
        until(lambda: value(server.query("up")) == 0)
        assert "401" in server.problem() or "429" in server.problem()
