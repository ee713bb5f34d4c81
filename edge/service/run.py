"""The composition root: a Config becomes objects, they run until the source ends or a signal comes."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from edge.camera import open_source
from edge.config import Config, Smoothing
from edge.errors import EXIT_OK, AcceleratorError, CameraError, EdgeError
from edge.inference.fallback import Failover
from edge.inference.letterbox import Fit
from edge.inference.loading import check_models, edge_tpu_size, find_accelerator, open_decoder, open_failover
from edge.mqtt.messages import Topics
from edge.mqtt.publisher import Publisher
from edge.people.crop import crop_around
from edge.people.filtering import Thresholds
from edge.people.rotation import RotationPlanner
from edge.people.smoothing import Settings as SmootherSettings
from edge.people.smoothing import Smoother
from edge.people.tracking import Tracker
from edge.pipeline.pipeline import Choice, FrameSource, Pipeline, Runtime, Stages
from edge.service import sd_notify
from edge.service.info import Profile
from edge.service.reporter import Daemon, Sensor

log = logging.getLogger(__name__)

# How long a thread that wants the GIL waits before it asks for it. With Python's 5 ms, the inference thread comes back
# from invoke() and idles while another one decodes or reads: with two cores, that cost 3 % of the frame rate.
SWITCH_INTERVAL_S = 1e-4
ACCELERATOR_S = 10.0  # how long the start waits for an Edge TPU before it goes on without
HUNG_S = 15.0  # before the Edge TPU counts as hung; less than systemd's watchdog leaves after the last frame
TICK_S = 0.25  # how long signals and heartbeats may wait while no frame comes
STOP_S = 1.2  # then all that is open has this long to close, together: a stop takes less than 2 s, whatever hangs
# Until the process ends, beyond run(): the library of an Edge TPU may hang or crash when it is let go of.
_kept: list[Failover] = []


def run(config: Config, reread: Callable[[], Config] | None = None) -> int:
    """Run until the source ends, SIGTERM or SIGINT; returns the exit code. Raises EdgeError, which subscribers learn.

    On SIGHUP, `reread` gives the new configuration: if it can be run, the program starts itself anew with it in this
    very process, and otherwise the old one goes on. Without `reread`, SIGHUP means nothing special.
    """
    stopping, hung_up = threading.Event(), threading.Event()
    accepted = False
    notifier = sd_notify.Notifier()
    with ExitStack() as stack:
        events = {signal.SIGTERM: stopping, signal.SIGINT: stopping}
        stack.enter_context(_signals(events | {signal.SIGHUP: hung_up} if reread else events))
        stack.callback(notifier.close)
        topics = Topics(config.mqtt.base_topic, config.device.topic_id)
        broker = Publisher(
            config.mqtt,
            config.device.topic_id,
            online=topics.status_message(online=True),
            offline=topics.status_message(online=False),
        )
        left_s = _Allowance(STOP_S)
        stack.callback(lambda: broker.close(left_s()))
        profile = Profile(config, topics)
        with _told(broker, profile, stopping):
            accelerator = find_accelerator(config)
            if accelerator is not None:
                stack.callback(accelerator.close)  # also of one that is still being opened
            failover = profile.failover = _unless_set(stopping, partial(open_failover, config, accelerator))
            if failover is None:
                log.info("stopped before the model was loaded")
                return EXIT_OK
            _kept.append(failover)
            stack.callback(failover.close)
            opened = failover.state.loaded.network.runtime
            if config.inference.device == "auto":
                failover.try_accelerator(ACCELERATOR_S, stopping)
            source = open_source(config.camera, largest=_largest(config, opened, *edge_tpu_size(config)))
            stack.callback(lambda: source.close(left_s()))
            profile.source = source
            pipeline = open_pipeline(config, source, opened, failover)
            # Camera and network come to their ends while the broker hears of ours.
            stack.callback(lambda: pipeline.close(left_s()))
            stack.callback(lambda: broker.close(left_s()))
            stack.callback(lambda: pipeline.close(0))
            # Not when we start anew: systemd would wait for our end, and then kill us.
            stack.callback(lambda: None if accepted else notifier.send("STOPPING=1"))
            daemon = Daemon(
                Sensor(config, failover, source, broker, topics, profile),
                notifier,
                interrupted=lambda: stopping.is_set() or hung_up.is_set(),
            )
            used = failover.state.loaded
            log.info(
                "%s -> %s on %s -> %s/...", source.description, used.model.name, used.network.runtime.name, topics.root
            )
            broker.open()

            def ended() -> bool:
                nonlocal accepted
                if hung_up.is_set() and reread is not None:
                    hung_up.clear()
                    accepted = _reload(config, reread, daemon) and not stopping.is_set()
                return stopping.is_set() or accepted

            _follow(pipeline, failover, daemon, ended)
    if accepted:
        # In the same process, which systemd goes on watching; whatever hangs in a thread is gone with it. A second
        # SIGHUP must not end us before somebody listens again.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
    return EXIT_OK


class _Allowance:
    """Seconds that several who come one after the other have together, from when the first one asks what is left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end_s: float | None = None

    def __call__(self) -> float:
        now_s = time.monotonic()
        if self._end_s is None:
            self._end_s = now_s + self._seconds
        return max(self._end_s - now_s, 0)


def _follow(pipeline: Pipeline, failover: Failover, daemon: Daemon, ended: Callable[[], bool]) -> None:
    """Publish what the pipeline finds until its source ends, or `ended` says that it is over. Raises EdgeError."""
    asked = False
    try:
        for result in pipeline.results(TICK_S):
            if result is not None:
                daemon.frame_done(result)
            daemon.tick(time.monotonic())
            busy_s = pipeline.busy_s
            failover.slow(busy_s, HUNG_S)
            if busy_s > HUNG_S:
                failover.hung(HUNG_S)
            if asked := ended():
                break
    except AcceleratorError:
        daemon.report(time.monotonic())  # tells subscribers why
        raise
    daemon.report(time.monotonic())
    log.info("%s after %d frames", "stopped" if asked else "the source has ended", daemon.frames)


@contextmanager
def _told(broker: Publisher, profile: Profile, stopping: threading.Event) -> Iterator[None]:
    """Whoever has nothing but MQTT learns which error ends the block."""
    try:
        yield
    except Exception as exc:
        broker.publish_final(profile.message(exc), stopping)
        raise


def _unless_set(stopping: threading.Event, work: Callable[[], Failover]) -> Failover | None:
    """What `work` gives or raises; None if the event comes first, as the library of an Edge TPU may hang."""
    done: Future[Failover] = Future()

    def settle() -> None:
        try:
            done.set_result(work())
        except BaseException as exc:  # noqa: BLE001 - raised again in the thread that waits
            done.set_exception(exc)

    threading.Thread(target=settle, name="opening", daemon=True).start()
    while not stopping.is_set():
        if wait([done], TICK_S).done:
            return done.result()
    return None


def _reload(config: Config, reread: Callable[[], Config], daemon: Daemon) -> bool:
    """Whether the new configuration can be run, as far as that can be told while the old one is running."""
    daemon.reloading()
    try:
        new = reread()
        check_models(new)
        if new.camera != config.camera:
            with suppress(CameraError):  # we may be the ones who keep it busy
                open_source(new.camera).close()
    except EdgeError as exc:
        log.error("the new configuration is refused, the old one goes on: %s", exc)  # noqa: TRY400 - one line tells all
        daemon.refused(str(exc))
        return False
    log.info("the new configuration is taken")
    return True


def _largest(config: Config, opened: Runtime, *others: tuple[int, int]) -> tuple[int, int] | None:
    """Width and height beyond which pictures need not be larger for the model, upright or turned.

    `others` are input sizes of those that may take over. None where it may be shown a part of the pictures alone.
    """
    if open_decoder(config, opened).one_person:
        return None
    camera = config.camera
    width, height = camera.width, camera.height
    if camera.rotation % 180:
        width, height = height, width
    low, high = map(max, zip(*map(sorted, (opened.input_size, *others)), strict=True))
    return (high, low) if width >= height else (low, high)


def open_pipeline(config: Config, source: FrameSource, cpu: Runtime, choice: Choice | None = None) -> Pipeline:
    """Put the stages together. Raises ModelError."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    wanted = config.filter
    thresholds = Thresholds.of(
        confidence=wanted.min_confidence,
        parts=wanted.parts,
        score=wanted.min_pose_score,
        keypoints=wanted.min_keypoints,
    )
    decoding = open_decoder(config, cpu)
    if decoding.one_person and config.decode.mode == "multi":
        log.info('this model finds one person alone, whom it sees best; decode.mode = "multi" changes nothing')
    stages = Stages(
        Fit(mirror=config.camera.mirror, smooth=not source.continuous),
        decoding.decode,
        thresholds,
        max_people=config.decode.max_people if config.decode.mode == "multi" and not decoding.one_person else 1,
    )
    if source.continuous:
        stages = replace(
            stages,
            tracker=_tracker(config),
            smoother=_smoother(config.smoothing, thresholds) if config.smoothing.enabled else None,
            lookout=RotationPlanner() if config.people.detect_lying else None,
            crop=crop_around if decoding.one_person else None,
        )
    return Pipeline(source, cpu, stages, choice)


def _tracker(config: Config) -> Tracker:
    # Who is in every frame of a slow camera must not grow too old between two of them.
    period_s = 1 / config.camera.fps if config.camera.fps else 0.0
    return Tracker(min_hits=config.tracking.min_hits, max_age_s=max(config.tracking.max_age_s, 2.5 * period_s))


def _smoother(wanted: Smoothing, thresholds: Thresholds) -> Smoother:
    return Smoother(thresholds, SmootherSettings(wanted.min_cutoff_hz, wanted.beta_hz, wanted.hysteresis))


@contextmanager
def _signals(events: Mapping[signal.Signals, threading.Event]) -> Iterator[None]:
    """Signals set their events, for as long as the block runs."""

    def note(number: int, _frame: object) -> None:
        events[signal.Signals(number)].set()

    before = {number: signal.signal(number, note) for number in events}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
