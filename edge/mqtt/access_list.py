"""The rights of each login on the broker, as an access list for mosquitto.

`python -m edge.mqtt.access_list FILE CONFIGURATION...` prints the access list FILE with our part rewritten for the
devices of these configuration files. install.sh runs it.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config import HOME, Config, load
from edge.errors import EXIT_OK, ConfigError, print_error
from edge.mqtt.commands import KINDS
from edge.mqtt.topics import Topics, birth_topic, discovery_topic
from edge.system.files import read_text

BEGIN = "# BEGIN edge-pose: the installer rewrites the lines up to END. Write your own above or below."
END = "# END edge-pose"


@dataclass(frozen=True, slots=True)
class Rights:
    """Topic filters."""

    write: tuple[str, ...]
    read: tuple[str, ...]


def device_rights(base_topic: str, prefix: str, device_id: str) -> Rights:
    """What the login of a device needs; it needs nothing else."""
    root = Topics(base_topic, device_id).root
    return Rights(
        write=(f"{root}/#", discovery_topic(prefix, device_id)),
        read=(*(f"{root}/{kind}/#" for kind in KINDS), birth_topic(prefix)),
    )


def home_rights(base_topic: str, prefix: str) -> Rights:
    """What Home Assistant and `edge-pose watch` need, and `edge-pose homeassistant remove`, which clears topics."""
    every = Topics(base_topic, "+")
    retained = (every.status, every.info, every.health, every.state, every.setting("+"), discovery_topic(prefix, "+"))
    return Rights(
        write=(*(f"{every.root}/{kind}/#" for kind in KINDS), birth_topic(prefix), *retained),
        read=(f"{base_topic}/#", f"{prefix}/#"),
    )


def access_list(before: str, devices: Sequence[Config]) -> str:
    """The access list `before` with our part rewritten for `devices`; everything else in it stays."""
    above, _, rest = before.partition(BEGIN)
    below = rest.partition(END)[2]
    own = [part.strip() for part in (above, below) if part.strip()]
    return "\n".join([*own, *[""] * bool(own), BEGIN, *_lines(devices), END, ""])


def _lines(devices: Sequence[Config]) -> Iterator[str]:
    trees = dict.fromkeys((config.mqtt.base_topic, config.home_assistant.prefix) for config in devices or [Config()])
    yield from ("# Home Assistant, `edge-pose watch` and `edge-pose homeassistant remove`.", f"user {HOME}")
    for tree in trees:
        yield from _rules("topic", home_rights(*tree))
    for config in devices:
        login, device_id = config.mqtt.username, config.device.topic_id
        if login not in ("", device_id):
            yield from (f"# The device {device_id} on this machine.", f"user {login}")
            yield from _rules("topic", device_rights(config.mqtt.base_topic, config.home_assistant.prefix, device_id))
    yield "# Every device whose user name is its device.id."
    for tree in trees:
        yield from _rules("pattern", device_rights(*tree, "%u"))


def _rules(word: str, rights: Rights) -> Iterator[str]:
    yield from (f"{word} write {topic}" for topic in rights.write)
    yield from (f"{word} read {topic}" for topic in rights.read)


def _devices(files: Iterable[str]) -> Iterator[Config]:
    """The configurations; prints an error for a file that cannot be used, and leaves it out."""
    for file in files:
        try:
            yield load(Path(file), {}, broker=False)
        except ConfigError as exc:
            print_error(exc)


def main(arguments: list[str]) -> int:
    sys.stdout.write(access_list(read_text(Path(arguments[0])), [*_devices(arguments[1:])]))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
