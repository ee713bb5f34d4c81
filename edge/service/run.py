"""The composition root: a Config becomes objects, and they run until the source ends or a signal comes."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from edge.config import Config
from edge.errors import EXIT_OK, AcceleratorError
from edge.service import info
from edge.service.context import Context, open_context
from edge.service.opening import open_sensor
from edge.service.places import SavedPlaces
from edge.service.restart import can_reload, execute_again
from edge.service.settings import Overrides, Settings
from edge.system.state_dir import state_file

log = logging.getLogger(__name__)


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
        context = open_context(settings, stack, reloads=reread is not None)
        with _publishing_problems(context):
            sensor = open_sensor(context, stack)
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
                    if sensor.page:
                        sensor.page.calls.tick()
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
                if sensor.page:
                    sensor.page.stop()
                sensor.control.end()
                sensor.supervisor.end("restarted" if restart or context.signals.restart.is_set() else "stopped")
            sensor.supervisor.publish_health()
            stopped = restart or context.signals.ending()
            log.info("%s after %d frames", "stopped" if stopped else "the source has ended", sensor.supervisor.frames)
    # SIGTERM may also come while everything closes.
    if restart and not context.signals.stopping.is_set():
        execute_again(reloads=reread is not None)
    return EXIT_OK


@contextmanager
def _publishing_problems(context: Context) -> Iterator[None]:
    """Publish a fatal error to `info`, so that MQTT-only users see it."""
    try:
        yield
    except Exception as exc:
        message = context.topics.info_message(info.assemble(context.facts, exc))
        context.publisher.publish_final(message, context.signals.stopping)
        raise
