"""What a page is made of."""

from dataclasses import dataclass

from edge.config import Web
from edge.web.feed import Feed
from edge.web.seams import Render, Sensor


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The parts that the thread of the page gets."""

    web: Web
    password: str | None
    device_id: str
    feed: Feed
    sensor: Sensor
    render: Render
    first_retry_s: float  # the first pause before the page is opened again
