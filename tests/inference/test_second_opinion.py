"""When there is a second network, and what it adds."""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.config import Config
from edge.inference.loading import open_network
from edge.inference.second_opinion import MIN_MEMORY_MB, open_second_opinion
from edge.models import catalogue, folders
from edge.types import Frame
from tests.support.pipelines import configured
from tests.support.scenes import picture_of, scene


def config(**tables: dict[str, object]) -> Config:
    return msgspec.convert({"inference": {"threads": 1, "device": "cpu"}, **tables}, Config)


def test_posenet_gets_a_second_opinion_from_multipose() -> None:
    opinion = open_second_opinion(config(), open_network(config()))
    assert opinion.network is not None
    assert opinion.network.model.name.startswith("movenet-multipose")
    assert opinion.network.runtime.backend == "cpu"


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"people": {"second_opinion": "off"}}, "people.second_opinion"),
        ({"decode": {"mode": "single"}}, "decode.mode"),
        ({"model": {"name": "movenet-multipose-float16"}}, "movenet-multipose"),
    ],
)
def test_some_configurations_need_none(tables: dict[str, Any], reason: str) -> None:
    wanted = config(**tables)
    opinion = open_second_opinion(wanted, open_network(wanted))
    assert opinion.network is None
    assert reason in opinion.reason


def test_small_and_32_bit_devices_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_network(config())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "maxsize", 2**31 - 1)
        assert open_second_opinion(config(), first).network is None
    pages = (MIN_MEMORY_MB - 1) * 2**20 // os.sysconf("SC_PAGE_SIZE")
    real = os.sysconf
    monkeypatch.setattr(os, "sysconf", lambda name: pages if name == "SC_PHYS_PAGES" else real(name))
    opinion = open_second_opinion(config(), first)
    assert opinion.network is None
    assert f"{MIN_MEMORY_MB - 1} MB" in opinion.reason


def test_a_damaged_model_is_reported_and_does_not_stop_the_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = open_network(config())
    entries = catalogue.entries()
    for entry in entries.values():
        (tmp_path / entry.file).write_bytes(b"damaged")
    shipped = folders.shipped()
    (tmp_path / "catalogue.toml").write_bytes((shipped / "catalogue.toml").read_bytes())
    monkeypatch.setattr(folders, "_SHIPPED", (tmp_path,))
    opinion = open_second_opinion(config(), first)
    assert opinion.network is None
    assert "damaged" in opinion.reason
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_person_who_lies_across_the_picture_is_seen_with_a_second_opinion() -> None:
    """PoseNet does not detect a painted person rotated by 90 degrees; MultiPose does."""
    upright = picture_of(scene("wave"), 0)
    lying = np.ascontiguousarray(np.rot90(upright[:, 80:560], 1)) if upright.shape[0] == 480 else upright

    def counts(second_opinion: str) -> list[int]:
        _, pipeline = configured(config(people={"second_opinion": second_opinion, "detect_lying": False}))
        height, width = lying.shape[:2]
        frames = [Frame(lying, width, height, number, number / 15, 0.0) for number in range(8)]
        return [len(pipeline.update(frame).people) for frame in frames]

    assert max(counts("off")) == 0
    assert counts("auto")[-1] == 1
