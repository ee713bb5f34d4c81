"""Print the packages that Home Assistant's integrations need with the configuration of the tests.

Home Assistant would install them itself while it starts.
"""

import json
import re
import sys
import sysconfig
from pathlib import Path

HOME_ASSISTANT = Path(sysconfig.get_path("purelib")) / "homeassistant"
NAMED = (HOME_ASSISTANT / "bootstrap.py", HOME_ASSISTANT / "generated/entity_platforms.py")
OURS = {"group", "input_boolean", "mqtt", "template"}
NOT_SET_UP = {"cloud", "default_config"}  # only with other configurations than ours


def manifest(integration: str) -> Path:
    return HOME_ASSISTANT / "components" / integration / "manifest.json"


def named(path: Path) -> set[str]:
    """The integrations that a module names in quotes or imports."""
    found = re.findall(r'"(\w+)"|(\w+) as \w+_import\b', path.read_text(encoding="utf-8"))
    return {name for names in found for name in names if name and manifest(name).is_file()}


def required(integrations: set[str]) -> set[str]:
    """The packages that the integrations and all that they depend on require."""
    packages: set[str] = set()
    seen: set[str] = set()
    left = set(integrations)
    while left:
        name = left.pop()
        seen.add(name)
        content = json.loads(manifest(name).read_text(encoding="utf-8"))
        packages.update(content.get("requirements", []))
        left |= set(content.get("dependencies", [])) - seen
    return packages


if __name__ == "__main__":
    roots = OURS.union(*map(named, NAMED)) - NOT_SET_UP
    sys.stdout.write("\n".join(sorted(required(roots))) + "\n")
