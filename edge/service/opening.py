"""Open the parts of the sensor in order, and register how they close."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from edge.camera import open_source
from edge.camera.switched import Switched
from edge.config import Config, Web
from edge.homeassistant.announcer import Announcer
from edge.homeassistant.discovery import hardware
from edge.inference.fallback import Fallback
from edge.inference.loading import AnySelector, input_sizes, open_selector
from edge.mqtt.topics import birth_topic
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.seams import Sink
from edge.recording.record import Recorder
from edge.service.assembly import TICK_S, largest_picture, open_pipeline
from edge.service.context import Context
from edge.service.control import Control
from edge.service.event_store import EventStore
from edge.service.live import LiveSensor
from edge.service.open_events import OpenEvents
from edge.service.page import Page
from edge.service.rejected_log import RejectedLog
from edge.service.reporter import Reporter
from edge.service.requests import Requests
from edge.service.rules import tables_of_rules
from edge.service.snapshots import Snapshots
from edge.service.states import StateReporter
from edge.service.supervisor import Supervisor

log = logging.getLogger(__name__)

EDGE_TPU_S = 10.0  # how long the start waits for the Edge TPU before the CPU takes the first frames


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """The parts that handle frames."""

    source: Switched
    pipeline: Pipeline
    supervisor: Supervisor
    control: Control
    requests: Requests
    page: Page | None
    sinks: list[Sink]


def open_sensor(context: Context, stack: ExitStack) -> Sensor | None:
    """Open network, source and pipeline, and register how they close; None if a signal came first. Raises EdgeError."""
    config, publisher, left_s = context.config, context.publisher, context.left_s
    selector = _result_unless_set(context.signals.stopping, lambda: open_selector(config))
    if selector is None:
        log.info("stopped before the model was loaded")
        return None
    context.facts.selector = selector
    stack.callback(selector.close)
    network = selector.selected.network
    if isinstance(selector, Fallback):
        selector.start(EDGE_TPU_S, context.signals.stopping)
    largest = largest_picture(config.camera, input_sizes(config, network), cropped=network.decoding.one_person)
    source = context.facts.source = Switched(
        lambda: open_source(config.camera, largest=largest), on=config.camera.enabled
    )
    stack.callback(lambda: source.close(left_s()))
    page = Page(config, publisher, context.topics) if config.web.enabled else None
    shutter = page.shutter if page else None
    pipeline = open_pipeline(config, selector, continuous=source.continuous, shutter=shutter)
    recorder = _open_recorder(config, stack, left_s) if config.recording.enabled and source.continuous else None
    store = _open_store(config, stack, left_s) if source.live and source.continuous else None  # files start again
    context.facts.second_opinion = pipeline.second_opinion
    _close_later(context, stack, pipeline, selector)
    reporter = Reporter(
        publisher,
        context.topics,
        max_rate_hz=config.mqtt.max_rate_hz,
        wait_for_room=None if source.live else lambda: supervisor.wait_for_room(context.signals.any),
    )
    announcer = _open_announcer(context, continuous=source.continuous)
    open_events = OpenEvents(pipeline.rules, reporter, recorder=recorder, store=store)
    supervisor = Supervisor(
        facts=context.facts,
        source=source,
        selector=selector,
        publisher=publisher,
        reporter=reporter,
        notifier=context.notifier,
        states=StateReporter(publisher, context.topics, config.mqtt.heartbeat_s) if source.continuous else None,
        open_events=open_events,
        recorder=recorder,
        announcer=announcer,
        gate=pipeline.gate,
        shutter=shutter,
    )
    LiveSensor(
        context.settings, context.facts, source, selector, pipeline, publisher, context.topics, reporter, supervisor,
        open_events, announcer, page,
    ).open()  # fmt: skip
    requests = _open_requests(context, supervisor, continuous=source.continuous)
    control = _open_control(context, announcer, requests)
    _log_start(context, source, pipeline)
    if page:
        page.open(context.settings, control.requests, supervisor.health, stack, left_s)
    sinks: list[Sink] = [supervisor, reporter, open_events, requests, *([recorder] if recorder else []), RejectedLog()]
    sinks += page.sinks if page else []
    return Sensor(source, pipeline, supervisor, control, requests, page, sinks)


def _close_later(context: Context, stack: ExitStack, pipeline: Pipeline, selector: AnySelector) -> None:
    """Register how the parts close that other parts need until then.

    In reverse order: the pipeline stops taking frames, the broker gets the offline status, a hanging Edge TPU worker is
    killed, and the threads get the time that is left.
    """
    stack.callback(lambda: pipeline.detector.close(context.left_s()))
    stack.callback(selector.close)
    stack.callback(lambda: context.publisher.close(context.left_s()))
    stack.callback(lambda: pipeline.detector.close(0))


def _log_start(context: Context, source: Switched, pipeline: Pipeline) -> None:
    assert context.facts.selector is not None
    network, second = context.facts.selector.selected.network, pipeline.second_opinion.network
    names = " + ".join(one.model.name for one in (network, second) if one)
    log.info("%s -> %s on %s -> %s/...", source.description, names, network.runtime.name, context.topics.root)


def _open_announcer(context: Context, *, continuous: bool) -> Announcer:
    """Announce the sensor to Home Assistant, unless its source has no state that could be shown."""
    assert context.facts.selector is not None
    machine = hardware(context.facts.selector.selected.state.backend)
    machine = replace(machine, page=page_url(context.config.web))
    # A rule that is switched off over MQTT keeps its entities, so the settings do not count.
    announcer = Announcer(context.settings.basis, machine, context.publisher)
    if continuous:
        announcer.start()
    return announcer


def page_url(web: Web) -> str:
    """The address of the page for Home Assistant; "" if other machines cannot open it."""
    if not web.enabled or not web.beyond_loopback:
        return ""
    from edge.web.visit import urls  # noqa: PLC0415 - few sensors have a page

    return f"{urls(web)[0]}/"


def _open_requests(context: Context, supervisor: Supervisor, *, continuous: bool) -> Requests:
    settings = context.settings
    snapshots = Snapshots(
        context.publisher, context.topics, context.config, is_off=lambda: not settings.config.camera.enabled
    )
    restart = context.signals.restart
    return Requests(supervisor, snapshots, settings, continuous=continuous, restart=restart)


def _open_control(context: Context, announcer: Announcer, requests: Requests) -> Control:
    return Control(
        context.inbox,
        context.publisher,
        context.topics,
        settings=context.settings,
        requests={"ping": lambda: None, "reset_settings": context.settings.reset, **requests.handlers},
        listeners={birth_topic(context.config.home_assistant.prefix): announcer.birth},
    )


def _open_store(config: Config, stack: ExitStack, left_s: Callable[[], float]) -> EventStore:
    store = EventStore(config.device.topic_id)
    stack.callback(lambda: store.close(left_s()))
    return store


def _open_recorder(config: Config, stack: ExitStack, left_s: Callable[[], float]) -> Recorder:
    recorder = Recorder(
        Path(config.recording.folder),
        config.recording.max_mb * 1_000_000,
        device=config.device.topic_id,
        rules=tables_of_rules(config),
    )
    stack.callback(lambda: recorder.close(left_s()))
    log.info("recording keypoints into %s, at most %d MB", config.recording.folder, config.recording.max_mb)
    return recorder


def _result_unless_set(stopping: threading.Event, work: Callable[[], AnySelector]) -> AnySelector | None:
    """Do `work` in a thread and return or raise its result; None if the event is set first, as a library may hang."""
    done: Future[AnySelector] = Future()

    def settle() -> None:
        try:
            done.set_result(work())
        except BaseException as exc:  # noqa: BLE001 - raised again in the thread that waits
            done.set_exception(exc)

    threading.Thread(target=settle, name="opening", daemon=True).start()
    while not stopping.is_set():
        if wait([done], TICK_S).done and not stopping.is_set():
            return done.result()
    return None
