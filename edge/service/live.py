"""Change a running sensor as its settings change."""

from dataclasses import dataclass

from edge.camera.switched import Switched
from edge.config import Config
from edge.config.places import same_places
from edge.config.settings import SETTINGS, text_of, value_of
from edge.homeassistant.announcer import Announcer
from edge.inference.network import Selector
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.pipeline.pipeline import Pipeline
from edge.service.assembly import excluded_zones, use_thresholds
from edge.service.info import Facts
from edge.service.open_events import OpenEvents
from edge.service.page import Page
from edge.service.reporter import Reporter
from edge.service.settings import Settings
from edge.service.supervisor import Supervisor


@dataclass(frozen=True, slots=True, eq=False)
class LiveSensor:
    """The parts of a running sensor that settings change."""

    settings: Settings
    facts: Facts
    source: Switched
    selector: Selector
    pipeline: Pipeline
    publisher: Publisher
    topics: Topics
    reporter: Reporter
    supervisor: Supervisor
    open_events: OpenEvents
    announcer: Announcer
    page: Page | None

    def open(self) -> None:
        """Publish the settings, and follow their changes."""
        self.settings.camera_off = lambda: self._switch(on=False)
        self.settings.changed = self.apply
        for name in SETTINGS:
            self._publish(name, self.settings.config)
        self._show_places()

    def apply(self, before: Config) -> None:
        """Use the settings in force, which were those of `before`, from the next frame on."""
        config = self.facts.config = self.settings.config
        self.facts.overrides, self.facts.places_changed = self.settings.overrides, self.settings.places_changed
        if config.camera.enabled != before.camera.enabled:
            if self.pipeline.gate:
                self.pipeline.gate.restart()
            self._switch(on=config.camera.enabled)
        if config.filter != before.filter:
            use_thresholds(self.pipeline, config, self.selector)
        if not same_places(config, before):
            self.pipeline.excluded[:] = excluded_zones(config)
            self.announcer.use(self.settings.basis)
            self._show_places()
        if self.source.continuous:
            self.open_events.reconfigure(config)
        self.reporter.max_rate_hz = config.mqtt.max_rate_hz
        for name in SETTINGS:
            if value_of(config, name) != value_of(before, name):
                self._publish(name, config)
        if self.supervisor.informed:
            self.supervisor.publish_info()

    def _switch(self, *, on: bool) -> None:
        if self.page and self.page.shutter:
            self.page.shutter.switch(on=on)
        self.source.switch(on=on)

    def _show_places(self) -> None:
        if self.page:
            self.page.show_places(self.settings.config, changed=self.settings.places_changed)

    def _publish(self, name: str, config: Config) -> None:
        self.publisher.publish_retained(self.topics.setting_message(name, text_of(value_of(config, name))))
