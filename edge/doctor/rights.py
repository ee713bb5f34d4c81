"""What the broker allows the daemon's login: each topic that the daemon writes, and each that it reads."""

from collections.abc import Iterable, Iterator

from edge.config import Config
from edge.doctor.result import Result
from edge.mqtt.access_list import device_rights
from edge.mqtt.commands import KINDS
from edge.mqtt.probe import FAILURE, QOS_NOT_SUPPORTED, Probe
from edge.mqtt.topics import Topics, birth_topic, discovery_topic

ARRIVAL_S = 1.0  # for a message to come back from the broker


def rights(probe: Probe, config: Config, version: int, *, local: bool) -> Iterator[Result]:
    """The results `topics` and `commands`. `local`: the access list is that of the installer on this machine."""
    if version == 5:
        yield _topics(probe, config, local=local)
    else:
        yield Result("topics", "unknown", "MQTT 3.1.1 does not report refusals", "update the broker to MQTT 5")
    yield _commands(probe, config, version, local=local)


def _topics(probe: Probe, config: Config, *, local: bool) -> Result:
    """Whether the login may write each topic that the daemon publishes on."""
    topics = _topics_of(config)
    written = [*topics.all]
    if config.home_assistant.enabled:
        written.append(discovery_topic(config.home_assistant.prefix, config.device.topic_id))
    denied: dict[str, int] = {}
    for topic in written:
        try:
            code = probe.try_publish(topic)
        except OSError as exc:
            if not denied:
                text = f"the broker did not answer whether {topic} may be published ({exc})"
                return Result("topics", "warning", text, _fix(config, "write", [topic], local=local))
            break  # some brokers close the connection after a refusal
        if code == QOS_NOT_SUPPORTED:
            return Result("topics", "unknown", "the broker does not accept QoS 2, which this check needs")
        if code >= FAILURE:
            denied[topic] = code
    if denied:
        fix = _fix(config, "write", denied, local=local)
        return Result("topics", "problem", f"may not publish on {_listed(denied)}", fix)
    return Result("topics", "ok", f"may publish on {topics.root}/: {_short(topics, written)}")


def _commands(probe: Probe, config: Config, version: int, *, local: bool) -> Result:
    """Whether the login may subscribe to each topic that the daemon reads, and receives messages on its own ones.

    Many brokers accept a subscription and do not deliver what the login may not read, so one empty message is sent
    where no sensor subscribes. Nothing can be sent on Home Assistant's topic, which the login may not write.
    """
    topics = _topics_of(config)
    read = [*topics.commands]
    if config.home_assistant.enabled:
        read.append(birth_topic(config.home_assistant.prefix))
    trials = [topics.trial(kind) for kind in KINDS]
    try:
        denied = {topic: code for topic in (*read, *trials) if (code := probe.subscribe(topic)) >= FAILURE}
        if denied:
            fix = _fix(config, "read", denied, local=local)
            return Result("commands", "problem", f"may not subscribe to {_listed(denied)}", fix)
        for trial in trials:
            code, arrived = probe.try_receive(trial, ARRIVAL_S)
            if code >= FAILURE:
                text = f"the broker accepts the subscriptions; without the right to write {trial} (0x{code:02x}), "
                return Result("commands", "unknown", f"{text}whether messages arrive cannot be checked")
            if not arrived:
                fix = _fix(config, "read", [trial], local=local)
                text = f"a message on {trial} did not come back"
                if version != 5:
                    return Result("commands", "warning", f"{text}: the login may not read it, or not write it", fix)
                return Result("commands", "problem", text, fix)
    except OSError as exc:
        fix = _fix(config, "read", read, local=local)
        return Result("commands", "warning", f"the broker did not answer whether messages arrive ({exc})", fix)
    text = f"receives messages on {topics.root}/: {_short(topics, topics.commands)}"
    unchecked = _short(topics, read[len(topics.commands) :])
    return Result("commands", "ok", f"{text}; may subscribe to {unchecked}" if unchecked else text)


def _topics_of(config: Config) -> Topics:
    return Topics(config.mqtt.base_topic, config.device.topic_id)


def _listed(denied: dict[str, int]) -> str:
    return ", ".join(f"{topic} (0x{code:02x})" for topic, code in denied.items())


def _short(topics: Topics, names: Iterable[str]) -> str:
    return ", ".join(name.removeprefix(f"{topics.root}/") for name in names)


def _fix(config: Config, verb: str, refused: Iterable[str], *, local: bool) -> str:
    """How to get the rights that cover the refused topics."""
    if local:
        return "run the installer again, which corrects the access list: sudo ./systemd/install.sh"
    needed = device_rights(config.mqtt.base_topic, config.home_assistant.prefix, config.device.topic_id)
    filters = needed.write if verb == "write" else needed.read
    wanted = [one for one in filters if any(topic.startswith(one.removesuffix("#")) for topic in refused)]
    login = config.mqtt.username or "anonymous clients"
    return f"allow {login} to {verb} {', '.join(wanted)} in the broker's access list"
