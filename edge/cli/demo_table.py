"""What the demo's terminal shows below the sample message: the scene, the people in view, and the last events."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from edge.cli.pose_text import position, score_bar
from edge.cli.room_text import count_of_people, event_in_words
from edge.mqtt.events import EventOut, PersonOut, StateOut
from edge.mqtt.messages import KeypointOut, Keypoints, PoseOut
from edge.scenes.tour import STOPS, Stop

MOST_EVENTS, LEAST_EVENTS = 8, 2
OTHER_LINES = 7  # of the view, besides people and events
LEAST_PEOPLE = 2  # rows that the table has in any case, so that the view keeps its height
SHOWN = ("NOSE", "LEFT_WRIST", "RIGHT_WRIST")
SHOWN_IF_WIDE = ("LEFT_ANKLE", "RIGHT_ANKLE")
WIDE = 110  # columns
SAMPLE_KEYPOINTS = 2  # all 17 do not fit on the screen

POSTURES = {"standing": "green", "sitting": "cyan", "lying": "bold red", "unknown": "dim"}


@dataclass(slots=True)
class Live:
    """The newest of what the sensor published, drawn to fit the terminal."""

    url: str = ""  # of the page; empty until it answers
    fps: float | None = None
    keypoints: Keypoints | None = None
    state: StateOut | None = None
    camera: str = "ok"  # of the last health message
    stop: Stop | None = None  # the scene of the tour
    events: deque[EventOut] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        people = self.keypoints.poses if self.keypoints else ()
        yield from self._summary(len(people))
        yield _title("people")
        yield self._table(people, wide=options.max_width >= WIDE)
        yield from [Text()] * (LEAST_PEOPLE - len(people))
        room = console.height - OTHER_LINES - max(len(people), LEAST_PEOPLE)
        yield _title("events")
        yield from self._last_events(min(max(room, LEAST_EVENTS), MOST_EVENTS))

    def _summary(self, people: int) -> Iterator[RenderableType]:
        hint = Text("Ctrl-C to stop", "dim")
        if self.url:
            line = Table.grid(expand=True)
            line.add_column(no_wrap=True, ratio=1)
            line.add_column(no_wrap=True)
            line.add_row(Text.assemble("The page: ", (self.url, f"bold underline blue link {self.url}")), hint)
            yield line
        else:
            yield hint
        fps = Text("  –  fps" if self.fps is None else f"{self.fps:5.1f} fps", "bold green")
        latency = self.keypoints.latency_ms if self.keypoints else None
        took = f"inference {latency.inference:.1f} ms, total {latency.total:.1f} ms" if latency else ""
        yield _line(Text("  ").join((fps, Text(count_of_people(people), "bold cyan"), Text(took))))
        if self.stop:
            names = (Text(f" {stop.name} ", "reverse bold" if stop is self.stop else "dim") for stop in STOPS)
            yield _line(Text.assemble(*names, "  ", self.stop.words))

    def _table(self, people: tuple[PoseOut, ...], *, wide: bool) -> RenderableType:
        if not people:
            is_known = self.state is None or self.state.people is not None
            return Text("no person in view" if is_known else f"camera {self.camera}", "dim")
        persons = {one.id: one for one in (self.state and self.state.persons) or ()}
        zoned = bool(self.state and self.state.zones)
        parts = SHOWN + SHOWN_IF_WIDE if wide else SHOWN
        rows = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        rows.add_column("id", no_wrap=True, min_width=2)
        rows.add_column("posture", no_wrap=True, min_width=8)
        if zoned:
            rows.add_column("zones", no_wrap=True, min_width=8, max_width=16)
        for name in ("score", "seen", *(part.lower().replace("_", " ") for part in parts)):
            rows.add_column(name, no_wrap=True)
        # Messages list people by score. Sorted by ID, people keep their rows.
        for pose in sorted(people, key=lambda pose: (pose.id is None, pose.id)):
            rows.add_row(*_row(pose, persons.get(pose.id or 0), parts, zoned=zoned))
        return rows

    def _last_events(self, count: int) -> Iterator[RenderableType]:
        shown = list(self.events)[-count:]
        for event in shown:
            time = datetime.fromisoformat(event.time).astimezone().strftime("%H:%M:%S")
            words = event_in_words(event)
            _, _, reasons = words.plain.partition(": ")
            words.stylize("not bold default", len(words) - len(reasons) - 1 if reasons else len(words))
            yield _line(Text.assemble((f"{time}  ", "dim"), words))
        yield from [Text()] * (count - len(shown))


def _title(name: str) -> Rule:
    return Rule(Text(name, "bold"), align="left", style="dim")


def _line(text: Text) -> Text:
    """A text that is cut at the edge of the terminal."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _row(pose: PoseOut, person: PersonOut | None, parts: tuple[str, ...], *, zoned: bool) -> list[Text]:
    seen: dict[str, KeypointOut] = {keypoint.body_part: keypoint for keypoint in pose.keypoints}
    posture = person.posture if person else "unknown"
    zones = [Text(", ".join(person.zones) if person else "", "yellow")] if zoned else []
    return [
        Text("–" if pose.id is None else str(pose.id), "bold"),
        Text(posture, POSTURES[posture]),
        *zones,
        score_bar(pose.score),
        Text(f"{len(pose.keypoints):2}/17"),
        *(Text(position(seen[part]) if part in seen else "–", "cyan") for part in parts),
    ]


def sample(keypoints: Keypoints) -> str:
    """The first person of a message as indented JSON with some of the keypoints; fits 80 columns."""
    pose, frame, latency_ms = keypoints.poses[0], keypoints.frame, keypoints.latency_ms
    shown = [
        f'      {{"index": {keypoint.index}, "body_part": "{keypoint.body_part}",\n'
        f'       "x": {keypoint.x}, "y": {keypoint.y}, "confidence": {keypoint.confidence}}}'
        for keypoint in pose.keypoints[:SAMPLE_KEYPOINTS]
    ]
    left_out = len(pose.keypoints) - len(shown)
    more = f",\n      … {left_out} more" if left_out else ""
    return "\n".join(
        (
            f'{{"v": {keypoints.v}, "seq": {keypoints.seq}, "time": "{keypoints.time}",',
            f' "frame": {{"width": {frame.width}, "height": {frame.height}}},',
            f' "latency_ms": {{"inference": {latency_ms.inference}, "total": {latency_ms.total}}},',
            ' "poses": [',
            f'   {{"id": {"null" if pose.id is None else pose.id}, "score": {pose.score}, "box": {list(pose.box)},',
            '    "keypoints": [',
            ",\n".join(shown) + more + "]}]}",
        )
    )
