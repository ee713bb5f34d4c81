"""The limits of a configuration key, for other ways to set it."""

from typing import get_args

import msgspec

from edge.config.schema import Config


def limits_of(key: str) -> tuple[float, float]:
    """The smallest and the largest value of a key such as `fall.confirm_s`, whose value is a limited number."""
    kind = Config
    for name in key.split("."):
        kind = next(field.type for field in msgspec.structs.fields(kind) if field.encode_name == name)
    _, limits = get_args(kind)
    return limits.ge, limits.le
