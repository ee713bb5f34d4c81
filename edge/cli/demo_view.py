"""The demo's output: a live view, or one line per message."""

from collections import deque
from typing import Protocol

from rich.console import Console, RenderableType
from rich.highlighter import JSONHighlighter
from rich.live import Live as Display
from rich.text import Text

from edge.cli.demo_table import Live, sample
from edge.mqtt.events import read_event, read_state
from edge.mqtt.messages import Keypoints, read_health, read_keypoints
from edge.mqtt.topics import Topics
from edge.scenes.scenes import SCENE_FPS
from edge.scenes.tour import stop_at
from edge.types import Message

FPS_FRAMES = 30  # the frame rate is a mean over this many frames
SAMPLE_AFTER = 10  # messages; from then on, the sample may be of a person without an ID, which pictures never get
DRAW_S = 0.09  # between two drawings; drawing every frame would need more time than tracking
PRINTED = 12  # lines and samples that are printed again when the terminal gets another size


class View(Protocol):
    topics: tuple[str, ...]  # below the topic of the device

    def note(self, line: Text) -> None:
        """Print a line that is no message; called from any thread."""

    def page(self, url: str) -> None:
        """The page answers at this address."""

    def show(self, message: Message, now_s: float) -> bool:
        """Show a message that arrived at `now_s`, on a monotonic clock; whether it is of a frame."""

    def end(self, count: int) -> None:
        """Print the number of frames."""


class Lines:
    """Prints each keypoints message as one line on `out`, and everything else on `notes`."""

    topics: tuple[str, ...] = ("keypoints",)

    def __init__(self, out: Console, notes: Console) -> None:
        self._out = out
        self._notes = notes

    def note(self, line: Text) -> None:
        self._notes.print(line, soft_wrap=True)

    def page(self, url: str) -> None:
        self.note(page_line(url))

    def show(self, message: Message, _now_s: float) -> bool:
        self._out.print(message.payload.decode(), markup=False, soft_wrap=True)
        return True

    def end(self, count: int) -> None:
        self.note(_count(count))


class Screen:
    """Prints one sample message and, below it, a live view of the scene, the people and the last events."""

    topics: tuple[str, ...] = ("keypoints", "state", "health", "event/+")

    def __init__(self, console: Console, topics: Topics, *, is_tour: bool = False) -> None:
        self._console = console
        self._topics = topics
        self._is_tour = is_tour
        self._printed: deque[RenderableType] = deque(maxlen=PRINTED)  # above the live view
        self._arrived_s: deque[float] = deque(maxlen=FPS_FRAMES)
        self._count = 0
        self._sampled = False
        self._began_s: float | None = None  # when the tour began
        self._drawn_s = float("-inf")
        self._live = Live()
        self._size = console.size
        self._display: Display | None = None

    def note(self, line: Text) -> None:
        self._print(line)

    def page(self, url: str) -> None:
        self._live.url = url
        if self._display is None:
            self._print(page_line(url))

    def show(self, message: Message, now_s: float) -> bool:
        is_frame = message.topic == self._topics.keypoints
        if is_frame:
            self._add_frame(read_keypoints(message.payload), now_s)
        elif message.payload:  # an empty one deletes a retained message
            self._add(message)
        if self._count and (not is_frame or now_s - self._drawn_s >= DRAW_S):
            self._draw()
            self._drawn_s = now_s
        return is_frame

    def end(self, count: int) -> None:
        if self._display:
            self._draw()
            self._display.stop()
        self._console.print(_count(count))

    def _add_frame(self, keypoints: Keypoints, now_s: float) -> None:
        if self._began_s is None:
            # Frames from before the sensor was connected are not published.
            self._began_s = now_s - (0 if self._count else keypoints.seq / SCENE_FPS)
        self._count += 1
        self._arrived_s.append(now_s)
        span_s = self._arrived_s[-1] - self._arrived_s[0]
        live = self._live
        live.fps = (len(self._arrived_s) - 1) / span_s if span_s > 0 else None
        live.keypoints = keypoints
        live.stop = stop_at(int((now_s - self._began_s) * SCENE_FPS)) if self._is_tour else None
        if not self._sampled and keypoints.poses and (keypoints.poses[0].id or self._count >= SAMPLE_AFTER):
            self._sampled = True
            self._print(Text("\nOne of the messages, shortened:", "dim"))
            self._print(JSONHighlighter()(sample(keypoints) + "\n"))

    def _add(self, message: Message) -> None:
        if message.topic == self._topics.state:
            self._live.state = read_state(message.payload)
            if self._live.state.people is None:  # when the camera is switched on again, the tour begins again
                self._began_s = self._live.keypoints = None
        elif message.topic == self._topics.health:
            self._live.camera = read_health(message.payload).camera
        else:
            self._live.events.append(read_event(message.payload))

    def _print(self, item: RenderableType) -> None:
        self._printed.append(item)
        self._console.print(item, soft_wrap=True)

    def _draw(self) -> None:
        if self._display and self._size != self._console.size:
            # A terminal wraps what is already there, so lines of the live view would be left over.
            self._display.stop()
            self._console.clear()
            for item in self._printed:
                self._console.print(item, soft_wrap=True)
            self._display = None
        if self._display is None:
            self._size = self._console.size
            self._display = Display(console=self._console, auto_refresh=False)
            self._display.start()
        self._display.update(self._live, refresh=True)


def page_line(url: str) -> Text:
    """The address of the page, as a link where the terminal supports that."""
    return Text.assemble("The page: ", (url, f"bold underline link {url}"))


def _count(count: int) -> Text:
    return Text(f"{count} message{'' if count == 1 else 's'}", "dim")
