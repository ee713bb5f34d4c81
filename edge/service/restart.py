"""Run the program again, with the same configuration or another one."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from edge.camera import open_source
from edge.config import Config
from edge.errors import CameraError, EdgeError
from edge.inference.loading import check_models
from edge.service.supervisor import Supervisor

log = logging.getLogger(__name__)


def can_reload(config: Config, reread: Callable[[], Config], supervisor: Supervisor) -> bool:
    """Whether the new configuration can be used, as far as that can be checked while the old one is running."""
    supervisor.reloading()
    try:
        new = reread()
        check_models(new)
        if new.camera != config.camera:
            with suppress(CameraError):  # this daemon may be using the camera itself
                open_source(new.camera).close()
    except EdgeError as exc:
        log.error("the new configuration is refused, the old one stays in use: %s", exc)  # noqa: TRY400 - one line
        supervisor.reload_refused(str(exc))
        return False
    log.info("the new configuration is accepted")
    return True


def execute_again(*, reloads: bool) -> NoReturn:
    """Replace this program by a new run of it, which keeps the process ID that systemd watches, and ends all threads.

    `reloads` says whether the new program will handle SIGHUP.
    """
    if reloads:
        # Until then it must be ignored, because its default action ends the process.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
