"""The composition root: a Config becomes objects, and they run until the source ends or a signal comes."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.camera import open_source
from edge.camera.switched import Switched
from edge.config import Config
from edge.errors import EXIT_OK, AcceleratorError
from edge.homeassistant.announcer import Announcer
from edge.homeassistant.discovery import hardware
from edge.inference.fallback import Fallback
from edge.inference.loading import AnySelector, input_sizes, open_selector
from edge.mqtt.inbox import Inbox
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics, birth_topic
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.seams import Sink
from edge.recording.record import Recorder
from edge.service import info
from edge.service.assembly import TICK_S, largest_picture, open_pipeline
from edge.service.control import Control
from edge.service.event_store import EventStore
from edge.service.live import LiveSensor
from edge.service.open_events import OpenEvents
from edge.service.places import SavedPlaces
from edge.service.rejected_log import RejectedLog
from edge.service.reporter import Reporter
from edge.service.requests import Requests
from edge.service.restart import can_reload, execute_again
from edge.service.rules import tables_of_rules
from edge.service.sd_notify import Notifier
from edge.service.settings import Overrides, Settings
from edge.service.signals import Signals
from edge.service.snapshots import Snapshots
from edge.service.states import StateReporter
from edge.service.supervisor import Supervisor
from edge.system.state_dir import state_file

log = logging.getLogger(__name__)

EDGE_TPU_S = 10.0  # how long the start waits for the Edge TPU before the CPU takes the first frames
STOP_S = 1.2  # for all parts together to close, so that a stop takes less than 2 s even if something hangs


class _TimeLeft:
    """The seconds left for several parts to close. The time starts when the first one asks."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end_s: float | None = None

    def __call__(self) -> float:
        now_s = time.monotonic()
        if self._end_s is None:
            self._end_s = now_s + self._seconds
        return max(self._end_s - now_s, 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Context:
    """The parts that are opened before the sensor and closed after it."""

    config: Config
    settings: Settings
    facts: info.Facts
    topics: Topics
    inbox: Inbox
    publisher: Publisher
    notifier: Notifier
    signals: Signals
    left_s: Callable[[], float]  # to close


@dataclass(frozen=True, slots=True, eq=False)
class _Sensor:
    """The parts that handle frames."""

    source: Switched
    pipeline: Pipeline
    supervisor: Supervisor
    control: Control
    requests: Requests
    sinks: list[Sink]


def run(config: Config, reread: Callable[[], Config] | None = None) -> int:
    """Run until the source ends or a SIGTERM or SIGINT; returns the exit code. Raises EdgeError after publishing it.

    On SIGHUP, `reread` loads the new configuration. If it can be used, the program executes itself again in the same
    process; otherwise the old configuration stays in use. Without `reread`, SIGHUP has its default action.
    """
    restart = False
    with ExitStack() as stack:
        device = config.device.topic_id
        settings = Settings(
            config, Overrides(state_file("settings", device)), SavedPlaces(state_file("places", device))
        )
        context = _open_context(settings, stack, reloads=reread is not None)
        with _publishing_problems(context):
            sensor = _open_sensor(context, stack)
            if sensor is None:
                return EXIT_OK
            # Not before a restart: after STOPPING, systemd would wait for this process to exit, and then kill it.
            stack.callback(lambda: None if restart else context.notifier.send("STOPPING=1"))
            context.publisher.open()
            try:
                for _ in sensor.pipeline.run(sensor.source, sensor.sinks):
                    sensor.source.check()
                    sensor.supervisor.tick()
                    sensor.requests.tick()
                    sensor.control.tick()
                    if reread is not None and context.signals.reload.is_set():
                        context.signals.reload.clear()
                        restart = can_reload(config, reread, sensor.supervisor)
                    if context.signals.restart.is_set():
                        restart = not context.notifier.active  # systemd starts a service that has ended
                    if restart or context.signals.ending():
                        break
            except AcceleratorError:
                sensor.supervisor.publish_health()  # why the Edge TPU is not used any more
                raise
            finally:
                sensor.control.end()
                sensor.supervisor.end("restarted" if restart or context.signals.restart.is_set() else "stopped")
            sensor.supervisor.publish_health()
            stopped = restart or context.signals.ending()
            log.info("%s after %d frames", "stopped" if stopped else "the source has ended", sensor.supervisor.frames)
    # SIGTERM may also come while everything closes.
    if restart and not context.signals.stopping.is_set():
        execute_again(reloads=reread is not None)
    return EXIT_OK


def _open_context(settings: Settings, stack: ExitStack, *, reloads: bool) -> _Context:
    """Signals, broker and systemd, registered in `stack` to be closed. Raises ConfigError."""
    config = settings.config
    signals, notifier = Signals(), Notifier()
    stack.enter_context(signals.handled(reloads=reloads))
    stack.callback(notifier.close)
    topics = Topics(config.mqtt.base_topic, config.device.topic_id)
    births = [birth_topic(config.home_assistant.prefix)] if config.home_assistant.enabled else []
    inbox = Inbox(topics.commands, others=births)
    publisher = Publisher(
        config.mqtt,
        config.device.topic_id,
        online=topics.status_message(online=True),
        offline=topics.status_message(online=False),
        inbox=inbox,
    )
    left_s = _TimeLeft(STOP_S)
    stack.callback(lambda: publisher.close(left_s()))
    facts = info.Facts(config, overrides=settings.overrides, places_changed=settings.places_changed)
    return _Context(config, settings, facts, topics, inbox, publisher, notifier, signals, left_s)


def _open_sensor(context: _Context, stack: ExitStack) -> _Sensor | None:
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
    pipeline = open_pipeline(config, selector, continuous=source.continuous)
    recorder = _open_recorder(config, stack, left_s) if config.recording.enabled and source.continuous else None
    store = _open_store(config, stack, left_s) if source.live and source.continuous else None  # files start again
    context.facts.second_opinion = pipeline.second_opinion
    # These run in reverse order: the pipeline stops taking frames, the broker gets the offline status, a hanging Edge
    # TPU worker is killed, and the threads get the time that is left.
    stack.callback(lambda: pipeline.detector.close(left_s()))
    stack.callback(selector.close)
    stack.callback(lambda: publisher.close(left_s()))
    stack.callback(lambda: pipeline.detector.close(0))
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
    )
    LiveSensor(
        context.settings, context.facts, source, selector, pipeline, publisher, context.topics, reporter, supervisor,
        open_events, announcer,
    ).open()  # fmt: skip
    requests = _open_requests(context, supervisor, continuous=source.continuous)
    control = _open_control(context, announcer, requests)
    second = pipeline.second_opinion.network
    names = " + ".join(one.model.name for one in (selector.selected.network, second) if one)
    runtime = selector.selected.network.runtime.name
    log.info("%s -> %s on %s -> %s/...", source.description, names, runtime, context.topics.root)
    sinks: list[Sink] = [supervisor, reporter, open_events, requests, *([recorder] if recorder else []), RejectedLog()]
    return _Sensor(source, pipeline, supervisor, control, requests, sinks)


def _open_announcer(context: _Context, *, continuous: bool) -> Announcer:
    """Announce the sensor to Home Assistant, unless its source has no state that could be shown."""
    assert context.facts.selector is not None
    machine = hardware(context.facts.selector.selected.state.backend)
    # A rule that is switched off over MQTT keeps its entities, so the settings do not count.
    announcer = Announcer(context.settings.basis, machine, context.publisher)
    if continuous:
        announcer.start()
    return announcer


def _open_requests(context: _Context, supervisor: Supervisor, *, continuous: bool) -> Requests:
    settings = context.settings
    snapshots = Snapshots(
        context.publisher, context.topics, context.config, is_off=lambda: not settings.config.camera.enabled
    )
    restart = context.signals.restart
    return Requests(supervisor, snapshots, settings, continuous=continuous, restart=restart)


def _open_control(context: _Context, announcer: Announcer, requests: Requests) -> Control:
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


@contextmanager
def _publishing_problems(context: _Context) -> Iterator[None]:
    """Publish a fatal error to `info`, so that MQTT-only users see it."""
    try:
        yield
    except Exception as exc:
        message = context.topics.info_message(info.assemble(context.facts, exc))
        context.publisher.publish_final(message, context.signals.stopping)
        raise


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
