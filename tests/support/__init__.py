"""Helpers of several tests: real brokers, real daemons, painted poses, and fakes that behave like the real classes."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
