"""What several tests share: real brokers, real daemons, painted poses, and fakes that behave."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
