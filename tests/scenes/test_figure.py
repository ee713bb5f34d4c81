"""The painted body agrees with its keypoints."""

from dataclasses import replace

import numpy as np
import pytest

from edge.scenes.figure import Figure, Outfit, Posture, make_posture, mirrored, paint_figure
from edge.skeleton import INDEX

# One pure colour for each material, so that the colour of a pixel identifies it.
MARKED = Outfit(skin=(200, 0, 0), hair=(0, 150, 150), shirt=(0, 200, 0), trousers=(0, 0, 200), shoes=(150, 150, 0))
STATURE_PX = 200

STANDING = make_posture()
SEATED = make_posture((0, 0, 2, 0), left_leg=(84, 16, -14, -2), right_leg=(84, 16, -14, -2))
STRIDING = make_posture((40, 0, 3, -10), (-20, 8, -8, 4), (20, 8, 38, 4), (22, 1, 16, 0), (-22, 1, -28, 0))
LYING = make_posture((0, 90, 0, 0))
POSTURES = {"standing": STANDING, "seated": SEATED, "striding": STRIDING, "lying": LYING}


def figure(posture: Posture, stature_px: float = STATURE_PX) -> Figure:
    return paint_figure(posture, MARKED, stature_px)


def pixel(painted: Figure, part: str) -> list[int]:
    """The colour at a keypoint."""
    x, y = np.rint(painted.xy[INDEX[part]]).astype(int)
    colour: list[int] = painted.image[y - painted.top_px, x - painted.left_px].tolist()
    return colour


def material(painted: Figure, part: str) -> str:
    red, green, blue, alpha = pixel(painted, part)
    assert alpha == 255, f"{part} is not on the person"
    return {(True, False, False): "skin", (False, True, False): "shirt", (False, False, True): "trousers"}.get(
        (red > 40, green > 40, blue > 40), "other"
    )


@pytest.mark.parametrize("side", ["LEFT", "RIGHT"])
@pytest.mark.parametrize(
    ("part", "expected"), [("SHOULDER", "shirt"), ("WRIST", "skin"), ("KNEE", "trousers"), ("EAR", "skin")]
)
def test_each_keypoint_shows_its_part_of_the_body(side: str, part: str, expected: str) -> None:
    assert material(figure(STANDING), f"{side}_{part}") == expected


def test_the_nose_is_skin_and_the_eyes_are_not() -> None:
    painted = figure(STANDING, 600)
    assert material(painted, "NOSE") == "skin"
    for eye in ("LEFT_EYE", "RIGHT_EYE"):
        assert max(pixel(painted, eye)[:3]) < 60, "pupils are dark"


@pytest.mark.parametrize("name", POSTURES)
def test_all_keypoints_lie_on_the_person(name: str) -> None:
    painted = figure(POSTURES[name])
    for part in INDEX:
        assert pixel(painted, part)[3] > 0, part


@pytest.mark.parametrize("name", POSTURES)
def test_the_lowest_point_rests_on_the_ground(name: str) -> None:
    painted = figure(POSTURES[name])
    lowest = painted.top_px + np.flatnonzero(painted.image[..., 3].any(axis=1))[-1]
    assert abs(lowest) <= 0.05 * STATURE_PX  # feet that are ahead are lower in the picture


def test_a_standing_person_is_as_tall_as_asked() -> None:
    painted = figure(STANDING)
    rows = np.flatnonzero(painted.image[..., 3].any(axis=1))
    assert rows[-1] - rows[0] + 1 == pytest.approx(STATURE_PX, rel=0.05)


def test_left_is_the_left_of_the_person() -> None:
    painted = figure(STANDING)
    for part in ("EYE", "EAR", "SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE"):
        assert painted.xy[INDEX[f"LEFT_{part}"], 0] > 0 > painted.xy[INDEX[f"RIGHT_{part}"], 0]


def test_a_body_is_stacked_from_top_to_bottom() -> None:
    xy = figure(STANDING).xy
    heights = [xy[INDEX[f"LEFT_{part}"], 1] for part in ("EYE", "SHOULDER", "ELBOW", "WRIST", "KNEE", "ANKLE")]
    assert heights == sorted(heights)
    assert xy[INDEX["LEFT_ANKLE"], 1] < 0, "above the ground"


@pytest.mark.parametrize("name", POSTURES)
def test_keypoints_grow_with_the_person(name: str) -> None:
    small, large = figure(POSTURES[name]), figure(POSTURES[name], 2 * STATURE_PX)
    np.testing.assert_allclose(large.xy, 2 * small.xy, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", POSTURES)
def test_a_mirrored_posture_exchanges_left_and_right(name: str) -> None:
    posture = POSTURES[name]
    np.testing.assert_array_equal(mirrored(mirrored(posture)), posture)
    painted, reflected = figure(posture), figure(mirrored(posture))
    for part, index in INDEX.items():
        other = {"L": part.replace("LEFT", "RIGHT"), "R": part.replace("RIGHT", "LEFT")}.get(part[0], part)
        expected = painted.xy[INDEX[other]] * (-1, 1)
        np.testing.assert_allclose(reflected.xy[index], expected, atol=1e-3, err_msg=part)
        assert reflected.visible[index] == painted.visible[INDEX[other]], part


def test_the_mean_of_two_postures_lies_between_them() -> None:
    arm_up = make_posture(left_arm=(0, 90, 0, 90))
    half_way = figure((STANDING + arm_up) / 2).xy[INDEX["LEFT_WRIST"]]
    down, up = (figure(posture).xy[INDEX["LEFT_WRIST"]] for posture in (STANDING, arm_up))
    assert up[1] < half_way[1] < down[1]
    assert down[0] < half_way[0] < up[0]


def test_a_tilted_person_lies_with_the_head_to_the_right() -> None:
    painted = figure(LYING)
    assert painted.image.shape[1] > 2 * painted.image.shape[0]
    assert painted.xy[INDEX["NOSE"], 0] > 0.3 * STATURE_PX
    assert painted.xy[INDEX["LEFT_ANKLE"], 0] < -0.3 * STATURE_PX


def hidden(posture: Posture) -> set[str]:
    return {part for part, seen in zip(INDEX, figure(posture).visible, strict=True) if not seen}


def test_a_person_who_faces_the_camera_hides_no_keypoint() -> None:
    assert hidden(STANDING) == set()


@pytest.mark.parametrize(("turn", "far"), [(35, "LEFT"), (70, "LEFT"), (-35, "RIGHT"), (-70, "RIGHT")])
def test_a_turned_head_hides_its_far_ear(turn: float, far: str) -> None:
    assert f"{far}_EAR" in hidden(make_posture((turn, 0, 0, 0)))
    assert f"{far}_EAR" in hidden(make_posture((0, 0, 0, turn)))
    near = {"LEFT": "RIGHT", "RIGHT": "LEFT"}[far]
    assert not hidden(make_posture((turn, 0, 0, 0))) & {f"{near}_EAR", f"{near}_SHOULDER", f"{near}_KNEE", "NOSE"}


def test_the_back_of_the_head_has_no_face() -> None:
    back = make_posture((180, 0, 0, 0))
    assert {"NOSE", "LEFT_EYE", "RIGHT_EYE"} <= hidden(back)
    assert not {"LEFT_ANKLE", "RIGHT_KNEE", "LEFT_SHOULDER"} & hidden(back)
    assert material(figure(back), "NOSE") != "skin", "hair covers it"


def test_a_hand_behind_the_back_is_hidden() -> None:
    behind = (-60, -30, -60, -60)
    assert "LEFT_WRIST" in hidden(make_posture(left_arm=behind))
    before = (60, -30, 60, -60)
    assert "LEFT_WRIST" not in hidden(make_posture(left_arm=before))


def test_long_hair_covers_more_and_moves_no_keypoint() -> None:
    short = paint_figure(STANDING, MARKED, STATURE_PX)
    long = paint_figure(STANDING, replace(MARKED, long_hair=True), STATURE_PX)
    np.testing.assert_array_equal(long.xy, short.xy)
    assert (long.image[..., 3] > 0).sum() > (short.image[..., 3] > 0).sum()
