"""Draw skeletons and IDs on pictures, with Pillow."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from edge.skeleton import BONES
from edge.types import Frame, Pose

Colour: TypeAlias = tuple[int, int, int]

LEFT, RIGHT, OUTLINE = (64, 196, 255), (255, 145, 64), (20, 20, 20)
# Keypoints and bones that are neither left nor right take the colour of the person, chosen by ID.
PEOPLE = ((190, 255, 120), (255, 232, 70), (255, 120, 205), (185, 145, 255), (255, 95, 95), (245, 245, 245))
UNCONFIRMED = (190, 190, 190)  # a person without an ID
SUPERSAMPLING = 3
LARGE_PX = 1000  # a picture at least this wide is drawn on without supersampling
OLD_FONT_PX = 11  # height of the letters that Pillow before 10.1 has
FACE_KEYPOINTS = 5  # keypoints 0..4 lie close together


def draw_frame(frame: Frame, poses: list[Pose], ids: Sequence[int | None] | None = None) -> Image.Image:
    """The image of `frame` with the skeletons of `poses`, which are in frame pixels. `ids` as in `draw_skeletons`."""
    image = Image.fromarray(frame.image)
    reduction = image.width / frame.width  # a huge picture is reduced while it is decoded
    return draw_skeletons(image, [replace(pose, xy=pose.xy * reduction) for pose in poses], ids)


def draw_skeletons(image: Image.Image, poses: list[Pose], ids: Sequence[int | None] | None = None) -> Image.Image:
    """A copy of an RGB image with the visible keypoints and bones of `poses`, in pixels of the image.

    The person's left side is blue, the right side orange. `ids` has one item per pose: an ID, which is written above
    the head, or None for a person that is not confirmed yet.
    """
    if not poses:
        return image.copy()
    scale = SUPERSAMPLING if image.width < LARGE_PX else 1
    # Enlarge with NEAREST and reduce by averaging, so that untouched pixels keep their exact value.
    large = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    numbers: Sequence[int | None] = range(len(poses)) if ids is None else ids
    for pose, number in zip(poses, numbers, strict=True):
        own = UNCONFIRMED if number is None else PEOPLE[number % len(PEOPLE)]
        on_canvas = replace(pose, xy=(pose.xy + 0.5) * scale)
        size_px = _draw_skeleton(draw, on_canvas, own, scale)
        if ids is not None and number is not None:
            x, y = min(on_canvas.xy[pose.visible].tolist(), key=lambda point: float(point[1]))
            draw_tag(draw, f"#{number}", own, (x, y - size_px / 8), max(13 * scale, large.height / 40))
    return large.reduce(scale)


def _draw_skeleton(draw: ImageDraw.ImageDraw, pose: Pose, own: Colour, scale: int) -> float:
    """Draw bones, and keypoints over them, for a pose in pixels of the canvas. Returns its longer side in pixels."""
    size_px = max(pose.box.width, pose.box.height)
    width = max(round(size_px / 90), scale)
    points = [(x, y) for x, y in pose.xy.tolist()]
    for a, b in BONES:
        if pose.visible[a] and pose.visible[b]:
            colour = _colour(a, own) if _colour(a, own) == _colour(b, own) else own
            draw.line([points[a], points[b]], fill=OUTLINE, width=width + 2 * scale)
            draw.line([points[a], points[b]], fill=colour, width=width)
    for index in pose.visible.nonzero()[0].tolist():
        x, y = points[index]
        outer = width * (0.9 if index < FACE_KEYPOINTS else 1.5)
        inner = max(outer - scale, scale / 2)  # a person may be only a few pixels tall
        for radius, fill in ((outer, OUTLINE), (inner, _colour(index, own))):
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
    return size_px


def _colour(index: int, own: Colour) -> Colour:
    """The colour of a keypoint. COCO's odd indices are on the person's left; the nose (0) is on neither side."""
    return own if index == 0 else LEFT if index % 2 else RIGHT


def draw_tag(draw: ImageDraw.ImageDraw, text: str, colour: Colour, anchor: tuple[float, float], size: float) -> None:
    """Write `text` in letters of `size` px on a box of `colour`, whose lower edge is centred on `anchor`.

    The box is moved as far as needed to lie inside the picture.
    """
    letters = _letters(text, size)
    margin = size / 3
    width, height = letters.width + 2 * margin, letters.height + 2 * margin
    x = min(max(anchor[0] - width / 2, 0), draw.im.size[0] - width)
    y = min(max(anchor[1] - height, 0), draw.im.size[1] - height)
    draw.rounded_rectangle([x, y, x + width, y + height], margin, colour, OUTLINE, max(1, round(size / 12)))
    draw.bitmap((x + margin, y + margin), letters, OUTLINE)


def _letters(text: str, size: float) -> Image.Image:
    """A mask of the text, without margins."""
    try:
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont = ImageFont.load_default(size)
        zoom = 1
    except TypeError:  # Pillow before 10.1 has only one size
        font = ImageFont.load_default()
        zoom = max(round(size / OLD_FONT_PX), 1)
    left, top, right, bottom = (round(side) for side in font.getbbox(text))
    mask = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
    ImageDraw.Draw(mask).text((-left, -top), text, 255, font)
    return mask.resize((mask.width * zoom, mask.height * zoom), Image.Resampling.NEAREST) if zoom > 1 else mask
