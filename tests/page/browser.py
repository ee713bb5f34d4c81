"""Chromium with the page in it, driven by selenium."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.waiting import until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
DESKTOP, PHONE = (1440, 900), (390, 844)
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--lang=en-GB",
)  # fmt: skip


class Page:
    """A tab of the browser."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def look(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False, scale: int = 1) -> None:
        """Use a screen of this size, and a colour scheme. A phone has a touch screen."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": size == PHONE})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})

    def open(self, url: str) -> None:
        self.driver.get(url)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements, also of those that are scrolled out of view."""
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        return [str(text).strip() for text in self.run(script, selector)]

    def text(self, selector: str) -> str:
        (text,) = self.texts(selector)
        return text

    def sees(self, selector: str) -> bool:
        return any(element.is_displayed() for element in self.all(selector))

    def press(self, selector: str) -> None:
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def write(self, selector: str, text: str) -> None:
        """Replace the text of a field."""
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(text)

    def type(self, *keys: str) -> None:
        """Type where the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier: str, key: str) -> None:
        """Press a key together with a modifier such as Ctrl."""
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def await_text(self, selector: str, text: str) -> None:
        """Wait until an element has this in its text."""
        try:
            until(lambda: any(text in one for one in self.texts(selector)))
        except AssertionError as exc:
            raise AssertionError(f"{text!r} is not in {selector}: {self.texts(selector)}") from exc

    def errors(self) -> list[str]:
        """What was logged as a warning or an error since the last call."""
        log: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log if entry["level"] in {"WARNING", "SEVERE"}]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A position in the view, given as fractions, in px of the window."""
        box = self.run("return document.getElementById('canvas').getBoundingClientRect().toJSON()")
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the mouse in the view: `Moved`, `Pressed`, `Released`."""
        left, top = self.place(x, y)
        event = {"type": f"mouse{kind}", "x": left, "y": top, "pointerType": "mouse"}
        if kind != "Moved":
            event |= {"button": "left", "clickCount": 1}
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def click(self, x: float, y: float) -> None:
        for kind in ("Moved", "Pressed", "Released"):
            self.mouse(kind, x, y)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        self.mouse("Moved", *start)
        self.mouse("Pressed", *start)
        for point in (middle, end):
            event = {"type": "mouseMoved", "button": "left", "buttons": 1, "pointerType": "mouse"}
            left, top = self.place(*point)
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event | {"x": left, "y": top})
        self.mouse("Released", *end)

    def touch(self, *path: tuple[float, float]) -> None:
        """Put a finger on the view, move it along the path, and lift it."""
        for index, point in enumerate(path):
            left, top = self.place(*point)
            event = {"type": "touchMove" if index else "touchStart", "touchPoints": [{"x": left, "y": top}]}
            self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", event)
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def memory(self) -> dict[str, float]:
        """Bytes of JavaScript objects, and numbers of nodes and listeners, after a garbage collection."""
        self.driver.execute_cdp_cmd("Performance.enable", {})
        for _ in range(2):
            self.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        metrics = self.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        wanted = {"JSHeapUsedSize", "Nodes", "JSEventListeners"}
        return {one["name"]: one["value"] for one in metrics if one["name"] in wanted}


@contextmanager
def chromium() -> Iterator[Chrome]:
    """A browser with an empty profile."""
    assert CHROMIUM is not None
    assert DRIVER is not None
    options = Options()
    options.binary_location = CHROMIUM
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for switch in (*SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        driver = Chrome(options=options, service=Service(DRIVER))
        try:
            yield driver
        finally:
            driver.quit()
