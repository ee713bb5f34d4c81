"""Draw the pictures of the documentation: `python -m tests.page.pictures FOLDER`."""

import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from edge.scenes.scenes import Scene
from edge.skeleton import PARTS
from tests.page import contents
from tests.page.browser import DESKTOP, PHONE, Page, chromium
from tests.page.canned import serve
from tests.support.scenes import picture_of, scene
from tests.support.waiting import until

FRAME = 52  # of the scene
# Browsers have a better font for pages than the usual one of a Debian without a screen.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<match><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match></fontconfig>"""
# So that every run draws the same picture.
STOP_CLOCK = """
    const now = Date.parse("2026-12-01T18:00:00Z"), Real = Date;
    Date = class extends Real { constructor(...given) { super(...(given.length ? given : [now])); } };
    Date.now = () => now;
    performance.now = () => 1000;"""
HAS_PICTURE = "return document.getElementById('canvas').getContext('2d').getImageData(5, 5, 1, 1).data[3] > 0"
PERSONS = {3: ("standing", 0.93, ["window"], 312), 4: ("standing", 0.89, [], 47), 6: ("standing", 0.81, [], 8)}
ZONES = [
    {"name": "window", "points": [[0.03, 0.66], [0.42, 0.64], [0.46, 0.97], [0.03, 0.97]], "kind": "area",
     "loitering_s": 60},
    {"name": "painting", "points": [[0.72, 0.14], [0.92, 0.14], [0.92, 0.38], [0.72, 0.38]], "kind": "exclude"},
]  # fmt: skip
LINES = [{"name": "door", "from": [0.6, 0.97], "to": [0.6, 0.66]}]
EVENTS = [
    (-700, "fall", "suspected", 2, None, ["torso 71 degrees from upright", "dropped 0.8 body heights in 0.7 s"]),
    (-698, "fall", "confirmed", 2, None, ["torso 78 degrees from upright", "down for 2.1 s"]),
    (-655, "fall", "cleared", 2, None, ["standing for 1.0 s"]),
    (-312, "zone", "entered", 3, "window", ["feet inside for 0.3 s"]),
    (-47, "presence", "arrived", 4, None, []),
    (-9, "line", "crossed_in", 6, "door", ["feet beyond the line for 0.2 s"]),
    (-4, "gesture", "waving", 6, None, ["4 swings of the right hand in 1.6 s"]),
]


def messages(painter: Scene) -> list[tuple[str, object]]:
    """A quiet room with three people."""
    people = sorted(painter.truth(FRAME), key=lambda truth: float(truth.xy[:, 0].mean()))
    poses = []
    for (number, (_, score, _, _)), truth in zip(PERSONS.items(), people, strict=True):
        shown = truth.xy[truth.visible]
        left, top, right, bottom = (float(side) for side in (*shown.min(axis=0), *shown.max(axis=0)))
        points = [
            {"index": k, "body_part": PARTS[k], "x": float(x), "y": float(y), "confidence": score}
            for k, (x, y) in enumerate(truth.xy)
            if truth.visible[k]
        ]
        poses.append(
            {"id": number, "score": score, "box": [left, top, right - left, bottom - top], "keypoints": points}
        )
    persons = [
        {"id": number, "posture": posture, "zones": zones, "since": contents.timestamp(-since)}
        for number, (posture, _, zones, since) in PERSONS.items()
    ]
    state = contents.state(time=contents.timestamp(), people=3, standing=3, persons=persons)
    state["zones"] = {"window": {"occupied": True, "people": 1, "dwell_s": 312}}
    keypoints = contents.keypoints(0, 0) | {"poses": poses, "seq": 0}
    health = contents.health(time=contents.timestamp(), uptime_s=612_000)
    verdict = {"code": "good", "level": "good", "text": "People are visible from head to foot.",
               "remedy": "No change is needed."}  # fmt: skip
    return [
        *contents.START,
        ("places", {"zones": ZONES, "lines": LINES, "changed": True, "toml": ""}),
        ("health", health),
        ("keypoints", keypoints),
        ("state", state),
        ("history", history()),
        ("aim", {"watched_s": 60.0, "verdicts": [verdict]}),
        *(
            ("event", contents.event(number, rule, phase, person, zone=zone, reasons=reasons,
                                     time=contents.timestamp(after_s)))
            for number, (after_s, rule, phase, person, zone, reasons) in enumerate(EVENTS)
        ),
    ]  # fmt: skip


def history() -> dict[str, object]:
    chance = np.random.default_rng(7)
    number = np.arange(120)
    values = {
        "fps": 14.9 + chance.normal(0, 0.15, 120),
        "inference_ms": 10.4 + chance.gamma(2, 0.25, 120) + 3 * np.exp(-(((number - 71) / 3) ** 2)),
        "temperature_c": 49 + 5.2 * (1 - np.exp(-number / 35)) + chance.normal(0, 0.25, 120),
        "dropped": np.where(chance.random(120) < 0.05, 1, 0),
    }
    return {"period_s": 5, **{name: [round(float(value), 2) for value in series] for name, series in values.items()}}


@contextmanager
def opened(page: Page, *, size: tuple[int, int], dark: bool, watched: bool = False) -> Iterator[None]:
    """The page of the room, as soon as all is drawn."""
    painter, ends = scene("three", seed=1), threading.Event()

    def all_messages() -> Iterator[tuple[str, object]]:
        yield from messages(painter)
        yield "pictures", {"allowed": True, "watched": watched}
        ends.wait()

    file = io.BytesIO()
    Image.fromarray(picture_of(painter, FRAME)).save(file, "JPEG", quality=95)
    with serve(all_messages, file.getvalue()) as url:
        page.look(size, dark=dark, scale=2 if size == PHONE else 1)
        page.open(url)
        page.await_text("#events", "waves")
        until(lambda: page.run("return document.getElementById('canvas').dataset.sequence") == "0")
        try:
            yield
        finally:
            ends.set()
            page.open("about:blank")


def save(page: Page, path: Path, width: int, box: tuple[int, int, int, int] | None = None) -> None:
    """Save what the window shows, or a part of it, as a picture of this width."""
    page.run("scrollTo(0, 0); document.activeElement.blur(); return new Promise((done) => requestAnimationFrame(done))")
    image = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB").crop(box)
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.save(path, quality=82, method=6)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")


def draw(page: Page, folder: Path) -> None:
    with opened(page, size=DESKTOP, dark=False):
        save(page, folder / "page.webp", 1440)
    with opened(page, size=PHONE, dark=True, watched=True):
        page.press("#show-picture")
        page.await_text("#show-picture-text", "Hide 2:00")
        until(lambda: page.run(HAS_PICTURE))
        save(page, folder / "page-phone.webp", 585)
    with opened(page, size=DESKTOP, dark=False):
        page.press("#edit")
        page.click(0.1, 0.9)
        page.drag((0.46, 0.97), (0.5, 0.96))
        page.mouse("Moved", 1.5, 0.1)
        save(page, folder / "page-zones.webp", 1440)


def main(folder: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as fonts:
        fonts.write(FONTS)
        fonts.flush()
        os.environ["FONTCONFIG_FILE"] = fonts.name
        with chromium() as driver:
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": STOP_CLOCK})
            driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
            draw(Page(driver), folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
