"""Who may open which device, and who has it open."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.machine import Finding, read


@dataclass(frozen=True, slots=True)
class Account:
    """A user with all groups that it has when systemd starts it."""

    name: str
    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a device open."""

    pid: int
    command: str
    ours: bool  # a daemon of edge-pose


def account(root: Path, name: str, supplementary: Sequence[str] = ()) -> Account | None:
    """The user `name` of /etc/passwd under `root`; None if there is none."""
    for line in read(root / "etc/passwd").splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 3:
            groups = {int(fields[3])}
            for group, (number, members) in _groups(root).items():
                if group in supplementary or name in members:
                    groups.add(number)
            return Account(name, int(fields[2]), frozenset(groups))
    return None


def group_name(root: Path, number: int) -> str:
    return next((name for name, (gid, _) in _groups(root).items() if gid == number), str(number))


def permission(name: str, root: Path, nodes: Sequence[Path], user: Account | None) -> Finding | None:
    """Whether `user` may read and write all of these device nodes; None if there is nobody or nothing to check."""
    if user is None:
        return None
    for node in nodes:
        if node.exists() and not _may_open(node, user):
            shown = f"/{node.relative_to(root)}"
            group = group_name(root, node.stat().st_gid)
            if node.stat().st_mode & 0o060 == 0o060 and group != "root":
                fix = f"sudo usermod -aG {group} {user.name}, and restart the service"
            else:
                fix = "install the udev rules of edge-pose again, and plug the device in anew"
            return Finding(name, "problem", f"{user.name} may not open {shown}, which belongs to group {group}", fix)
    return None


def holders(root: Path, nodes: Sequence[Path]) -> tuple[list[Holder], bool]:
    """The processes that have one of `nodes` open, and whether all processes of others could be looked at."""
    wanted = {str(node.resolve()) for node in nodes}
    found, complete = [], True
    for process in (root / "proc").glob("[0-9]*"):
        try:
            opened = {str(link.readlink()) for link in (process / "fd").iterdir()}
        except PermissionError:
            complete = os.geteuid() == 0  # what even root may not see is not of this machine: a container's outside
            continue
        except OSError:  # it has just ended
            continue
        if opened & wanted:
            words = read(process / "cmdline").split("\0")
            ours = any(word.endswith("/edge-pose") for word in words) or words[1:3] == ["-m", "edge"]
            found.append(Holder(int(process.name), read(process / "comm"), ours))
    return found, complete


def _groups(root: Path) -> dict[str, tuple[int, list[str]]]:
    lines = [line.split(":") for line in read(root / "etc/group").splitlines()]
    return {
        fields[0]: (int(fields[2]), fields[3].split(","))
        for fields in lines
        if len(fields) > 3 and fields[2].isdecimal()  # it is not in a line that refers to another list: +:::
    }


def _may_open(node: Path, user: Account) -> bool:
    status = node.stat()
    if user.uid in (0, status.st_uid):
        return user.uid == 0 or status.st_mode & 0o600 == 0o600
    needed = 0o060 if status.st_gid in user.groups else 0o006
    return status.st_mode & needed == needed
