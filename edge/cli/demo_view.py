"""The demo's output: a live table, or one line per message."""

from collections import deque
from typing import Protocol

from rich.console import Console, Group
from rich.highlighter import JSONHighlighter
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge.cli.pose_text import position, score_bar
from edge.mqtt.messages import Keypoints, PoseOut, read_keypoints

FPS_FRAMES = 30  # the frame rate is a mean over this many frames
SAMPLE_KEYPOINTS = 2  # all 17 do not fit on the screen
SAMPLE_AFTER = 10  # messages; from then on, the sample may be of a person without an ID, which pictures never get
SHOWN = ("NOSE", "LEFT_WRIST", "RIGHT_WRIST")


class View(Protocol):
    def show(self, payload: bytes, now_s: float) -> None:
        """Show a keypoints message; `now_s` is its arrival on a monotonic clock."""

    def end(self, count: int) -> None:
        """Print the number of messages."""


class Lines:
    """Prints each message as one line on `out`, and everything else on `notes`."""

    def __init__(self, out: Console, notes: Console) -> None:
        self._out = out
        self._notes = notes

    def show(self, payload: bytes, _now_s: float) -> None:
        self._out.print(payload.decode(), markup=False)

    def end(self, count: int) -> None:
        _print_count(self._notes, count)


class Screen:
    """Prints one sample message and, below it, a live table of the people in the newest message."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._arrived_s: deque[float] = deque(maxlen=FPS_FRAMES)
        self._sampled = False
        self._count = 0
        self._live = Live(console=console, auto_refresh=False)
        console.print("waiting for the first frame …", style="dim")

    def show(self, payload: bytes, now_s: float) -> None:
        self._arrived_s.append(now_s)
        self._count += 1
        keypoints = read_keypoints(payload)
        if not self._sampled and keypoints.poses and (keypoints.poses[0].id or self._count >= SAMPLE_AFTER):
            self._sampled = True
            self._console.print("\nOne of the messages, shortened:", style="dim")
            self._console.print(JSONHighlighter()(sample(keypoints)), "", sep="\n")
        self._live.start()
        self._live.update(table(keypoints, self._fps()), refresh=True)

    def end(self, count: int) -> None:
        self._live.stop()
        _print_count(self._console, count)

    def _fps(self) -> float | None:
        span_s = self._arrived_s[-1] - self._arrived_s[0]
        return (len(self._arrived_s) - 1) / span_s if span_s > 0 else None


def _print_count(console: Console, count: int) -> None:
    console.print(f"{count} message{'' if count == 1 else 's'}", style="dim")


def table(keypoints: Keypoints, fps: float | None) -> Group:
    """Frame rate, number of people and latency, and a row per person; fits 80 columns."""
    people = len(keypoints.poses)
    summary = Text.assemble(
        ("  –  fps" if fps is None else f"{fps:5.1f} fps", "bold green"),
        "  ",
        (f"{people} {'person' if people == 1 else 'people'}", "bold cyan"),
        f"  inference {keypoints.latency_ms.inference:.1f} ms, total {keypoints.latency_ms.total:.1f} ms",
        ("  Ctrl-C to stop", "dim"),
    )
    rows = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name in ("id", "score", "seen", "box", *(part.lower().replace("_", " ") for part in SHOWN)):
        rows.add_column(name, no_wrap=True)
    # Messages list people by score. Sorted by ID, people keep their rows.
    for pose in sorted(keypoints.poses, key=lambda pose: (pose.id is None, pose.id)):
        rows.add_row(*_row(pose))
    return Group(summary, rows if people else Text("no person in view", style="dim"))


def _row(pose: PoseOut) -> list[Text]:
    x, y, width, height = (round(value) for value in pose.box)
    seen = {keypoint.body_part: keypoint for keypoint in pose.keypoints}
    return [
        Text("–" if pose.id is None else str(pose.id), "bold"),
        score_bar(pose.score),
        Text(f"{len(pose.keypoints):2}/17"),
        Text(f"{x},{y} {width}×{height}"),
        *(Text(position(seen[part]) if part in seen else "–", "cyan") for part in SHOWN),
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
