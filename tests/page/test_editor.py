"""Drawing zones and lines: by mouse, by finger and by keyboard."""

from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from tests.page import contents
from tests.page.browser import DESKTOP, PHONE, Page
from tests.page.conftest import NETWORK
from tests.page.stand_in import StandIn
from tests.support.waiting import until

CORNERS = [(0.5, 0.2), (0.8, 0.2), (0.8, 0.45), (0.5, 0.45)]
REFUSED = r"/places - Failed to load resource: the server responded with a status of 400"


@pytest.fixture
def sensor(stand_in: Callable[..., StandIn], page: Page) -> StandIn:
    """A sensor whose page is open, with the zone `bed` and the line `door`."""
    opened = stand_in()
    page.open(opened.url)
    page.await_text("#places", "door")
    return opened


def zones(sensor: StandIn) -> dict[str, list[tuple[float, float]]]:
    return {zone.name: list(zone.points) for zone in sensor.sensor.config.zones}


def is_near(points: list[tuple[float, float]], wanted: list[tuple[float, float]]) -> bool:
    """Within 1 % of the picture."""
    return len(points) == len(wanted) and all(
        abs(a - b) <= 0.01 for one, other in zip(points, wanted, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_a_zone_is_drawn_by_mouse(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#add-zone")
    for corner in CORNERS:
        page.click(*corner)
    page.click(*CORNERS[0])  # closes it
    page.write("#place-name", "Play Corner")
    page.press("#save")
    until(lambda: "play_corner" in zones(sensor))
    assert is_near(zones(sensor)["play_corner"], CORNERS)
    page.await_text("#places", "play_corner")
    assert page.sees("#edit")


def test_a_zone_is_drawn_by_finger(sensor: StandIn, page: Page) -> None:
    page.look(PHONE)
    page.press("#edit")
    page.press("#add-zone")
    for x, y in CORNERS:
        page.touch((x - 0.1, y + 0.1), (x, y))  # a finger can slide to the place
    page.touch(CORNERS[0])
    page.press("#save")
    until(lambda: "zone_1" in zones(sensor))
    assert is_near(zones(sensor)["zone_1"], CORNERS)


def test_a_second_finger_does_not_pull_a_corner_away(sensor: StandIn, page: Page) -> None:
    page.look(PHONE)
    page.press("#edit")
    page.touch((0.2, 0.8))  # selects the zone
    fingers = [page.place(0.4, 0.6), page.place(0.8, 0.2), page.place(0.9, 0.3)]
    first, second, second_moved = ({"x": x, "y": y} for x, y in fingers)
    for kind, points in (
        ("touchStart", [first | {"id": 0}]),
        ("touchStart", [first | {"id": 0}, second | {"id": 1}]),
        ("touchMove", [first | {"id": 0}, second_moved | {"id": 1}]),
        ("touchEnd", []),
    ):
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.touch((0.4, 0.6), (0.5, 0.5))
    page.press("#save")
    until(lambda: is_near(zones(sensor)["bed"], [(0.05, 0.6), (0.5, 0.5), (0.4, 0.95), (0.05, 0.95)]))


def test_a_zone_is_drawn_by_keyboard(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#add-zone")
    page.type(" ", *[Keys.ARROW_RIGHT] * 20, " ", *[Keys.ARROW_DOWN] * 15, " ", Keys.ENTER)
    page.press("#save")
    until(lambda: "zone_1" in zones(sensor))
    assert is_near(zones(sensor)["zone_1"], [(0.5, 0.5), (0.7, 0.5), (0.7, 0.65)])


def test_a_line_is_drawn_and_turned(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#add-line")
    page.click(0.2, 0.3)
    page.click(0.5, 0.3)
    page.press("#place-form button:not(.icon)")  # turn the arrow
    page.press("#save")
    until(lambda: len(sensor.sensor.config.lines) == 2)
    line = sensor.sensor.config.lines[1]
    assert is_near([line.start, line.to], [(0.5, 0.3), (0.2, 0.3)])


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["mouse", "finger"])
def test_a_line_is_drawn_in_one_go(sensor: StandIn, page: Page, size: tuple[int, int]) -> None:
    page.look(size)
    page.press("#edit")
    page.press("#add-line")
    draw = page.touch if size == PHONE else page.drag
    draw((0.2, 0.3), (0.5, 0.3))
    page.press("#save")
    until(lambda: len(sensor.sensor.config.lines) == 2)
    line = sensor.sensor.config.lines[1]
    assert is_near([line.start, line.to], [(0.2, 0.3), (0.5, 0.3)])


def test_a_zone_with_two_corners_is_not_thrown_away(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#add-zone")
    page.click(*CORNERS[0])
    page.click(*CORNERS[1])
    page.press("#save")
    page.await_text("#said", "three corners")
    page.click(*CORNERS[2])
    page.press("#save")  # closes it, too
    until(lambda: "zone_1" in zones(sensor))
    assert is_near(zones(sensor)["zone_1"], CORNERS[:3])


def test_a_camera_that_is_off_leaves_the_view_free_for_drawing(sensor: StandIn, page: Page) -> None:
    sensor.say("health", contents.health("off"))
    until(lambda: page.sees("#switch-on"))
    page.press("#edit")
    assert not page.sees("#switch-on")
    assert not page.sees("#cover")
    page.press("#cancel")
    assert page.sees("#switch-on")


def test_a_zone_without_a_name_is_not_saved(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#places li:first-child button")
    page.write("#place-name", Keys.BACKSPACE)
    page.press("#add-line")  # another one is selected now
    page.press("#save")
    page.await_text("#place-form .error", "Enter a name")
    page.write("#place-name", "sofa")
    page.press("#save")
    until(lambda: list(zones(sensor)) == ["sofa"])


def test_corners_are_moved_inserted_and_deleted(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.click(0.2, 0.8)  # inside the bed
    page.drag((0.05, 0.6), (0.1, 0.5))
    page.drag((0.4, 0.775), (0.5, 0.775))  # the middle of a side
    page.drag((0.05, 0.95), (0.08, 0.9))
    page.press("#drop-corner")
    page.press("#save")
    until(lambda: not page.sees("#save"))
    assert is_near(zones(sensor)["bed"], [(0.1, 0.5), (0.4, 0.6), (0.5, 0.775), (0.4, 0.95)])


def test_a_zone_that_is_moved_stays_in_the_picture(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.drag((0.2, 0.8), (0.9, 0.1))
    page.press("#save")
    until(lambda: not page.sees("#save"))
    assert is_near(zones(sensor)["bed"], [(0.65, 0), (1, 0), (1, 0.35), (0.65, 0.35)])


def test_a_corner_is_moved_by_keyboard_and_by_numbers(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#places li:first-child button")
    page.run("document.getElementById('canvas').focus()")
    page.type("]", *[Keys.ARROW_LEFT] * 3, Keys.ARROW_UP)
    page.press("#place-form summary")
    page.write("#place-points li:nth-child(2) input", "45.5")
    page.press("#save")
    until(lambda: not page.sees("#save"))
    assert is_near(zones(sensor)["bed"], [(0.02, 0.59), (0.455, 0.6), (0.4, 0.95), (0.05, 0.95)])


def test_changes_are_undone_and_redone(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#places li:first-child button")
    page.press("#place-form .danger")
    until(lambda: "bed" not in page.text("#places"))
    page.press("#undo")
    page.await_text("#places", "bed")
    page.press("#redo")
    until(lambda: "bed" not in page.text("#places"))
    page.run("document.getElementById('canvas').focus()")
    page.chord(Keys.CONTROL, "z")
    page.await_text("#places", "bed")
    assert list(zones(sensor)) == ["bed"]


def test_cancel_discards_the_changes_after_a_question(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.drag((0.2, 0.8), (0.5, 0.5))
    page.press("#cancel")
    page.press("#ask button[value=no]")
    assert page.sees("#save")
    page.press("#cancel")
    page.press("#ask-yes")
    until(lambda: not page.sees("#save"))
    assert is_near(zones(sensor)["bed"], [(0.05, 0.6), (0.4, 0.6), (0.4, 0.95), (0.05, 0.95)])
    assert not page.sees("#to-file")


def test_kind_and_loitering_are_saved(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.press("#places li:first-child button")
    page.run("document.getElementById('place-kind').value = 'area'")
    page.run("document.getElementById('place-kind').dispatchEvent(new Event('change'))")
    page.write("#place-loitering", "90")
    page.press("#save")
    until(lambda: sensor.sensor.config.zones[0].loitering_s == 90)
    assert sensor.sensor.config.zones[0].kind == "area"


def test_an_error_is_shown_at_the_zone_that_it_is_about(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    accepted.append(REFUSED)
    page.press("#edit")
    page.press("#add-zone")
    for corner in (CORNERS[0], CORNERS[2], CORNERS[1], CORNERS[3]):  # its sides cross
        page.click(*corner)
    page.type(Keys.ENTER)
    page.click(0.2, 0.8)  # another one is selected now
    page.press("#save")
    page.await_text("#place-form .error", "cross")
    assert page.find("#place-name").get_attribute("value") == "zone_1"
    page.write("#place-name", "none")
    page.run("document.querySelector('#place-form details').open = true")
    page.press("#place-points li:first-child button:last-child")  # a triangle has no sides that cross
    page.press("#save")
    page.await_text("#place-form .error", "templates")
    assert page.find("#place-name").get_attribute("aria-invalid") == "true"
    page.write("#place-name", "corner")
    assert not page.sees("#place-form .error")
    page.press("#save")
    until(lambda: "corner" in zones(sensor))


def test_the_file_can_be_restored(sensor: StandIn, page: Page) -> None:
    assert not page.sees("#to-file")
    page.press("#edit")
    page.drag((0.2, 0.8), (0.5, 0.5))
    page.press("#save")
    until(lambda: page.sees("#to-file"))
    page.press("#to-file")
    page.press("#ask-yes")
    until(lambda: not page.sees("#to-file"))
    assert is_near(zones(sensor)["bed"], [(0.05, 0.6), (0.4, 0.6), (0.4, 0.95), (0.05, 0.95)])


@pytest.mark.usefixtures("sensor")
def test_zones_are_copied_as_toml(page: Page) -> None:
    page.driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    page.press("#copy")
    page.await_text("#said", "Copied")
    copied = page.run("return navigator.clipboard.readText()")
    assert 'name = "bed"' in copied
    assert "[[lines]]" in copied


def test_changes_of_others_do_not_disturb_the_editor_but_are_named(sensor: StandIn, page: Page) -> None:
    page.press("#edit")
    page.drag((0.2, 0.8), (0.5, 0.5))
    assert not page.sees("#places-error")
    sensor.sensor.use_places((), ()).result()
    page.await_text("#places-error", "have changed since you began")
    page.await_text("#places", "bed")
    page.press("#save")
    until(lambda: "bed" in zones(sensor))
    until(lambda: not page.sees("#places-error"))


def test_a_new_connection_is_no_change_of_others(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    accepted += [NETWORK % ("", "")]
    page.press("#edit")
    sensor.stop()
    page.await_text("#link", "No data since")
    sensor.start()
    page.await_text("#link", "Live")
    assert not page.sees("#places-error")
