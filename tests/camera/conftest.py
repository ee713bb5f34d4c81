"""Fixtures of the camera tests."""

import pytest

from tests.support.picamera_rig import REAL, FakeRig, RealRig, Rig


@pytest.fixture(params=["pi", "other", "real"])
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    if request.param != "real":
        return FakeRig(monkeypatch, pi=request.param == "pi")
    if not REAL:
        pytest.skip("NOT THE REAL PICAMERA2: that needs root and debootstrap, and make test-picamera2")
    return RealRig(monkeypatch)


@pytest.fixture
def pi(monkeypatch: pytest.MonkeyPatch) -> FakeRig:
    return FakeRig(monkeypatch, pi=True)
