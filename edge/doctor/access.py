"""The user that runs the daemon, and which devices it may open."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.result import Result
from edge.system.files import read_text


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with all groups that a service of this user has."""

    name: str
    uid: int
    groups: frozenset[int]


def find_account(root: Path, name: str, supplementary: Sequence[str] = ()) -> Account | None:
    """The user `name` of /etc/passwd below `root`; None if there is none. `supplementary` names further groups."""
    for line in read_text(root / "etc/passwd").splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 3:
            groups = {int(fields[3])}
            for group, (number, members) in _groups(root).items():
                if group in supplementary or name in members:
                    groups.add(number)
            return Account(name, int(fields[2]), frozenset(groups))
    return None


def group_name(root: Path, number: int) -> str:
    """The name of a group, or its number if it has none."""
    return next((name for name, (gid, _) in _groups(root).items() if gid == number), str(number))


def permission(name: str, root: Path, nodes: Sequence[Path], user: Account | None) -> Result | None:
    """A problem if `user` may not read and write all of these device nodes. None without a problem or a user."""
    if user is None:
        return None
    for node in nodes:
        if node.exists() and not allows(node, user, 0o6):
            shown = f"/{node.relative_to(root)}"
            group = group_name(root, node.stat().st_gid)
            if node.stat().st_mode & 0o060 == 0o060 and group != "root":
                fix = f"sudo usermod -aG {group} {user.name}, and restart the service"
            else:
                fix = "install the udev rules of edge-pose again, and replug the device"
            return Result(name, "problem", f"{user.name} may not open {shown}, which belongs to group {group}", fix)
    return None


def allows(path: Path, user: Account, needed: int) -> bool:
    """Whether a file or folder gives `user` the permissions `needed`: the sum of 4 read, 2 write, 1 execute or pass."""
    status = path.stat()
    shift = 6 if user.uid == status.st_uid else 3 if status.st_gid in user.groups else 0
    return user.uid == 0 or status.st_mode >> shift & needed == needed


def _groups(root: Path) -> dict[str, tuple[int, list[str]]]:
    """Name -> number and members of every group."""
    lines = [line.split(":") for line in read_text(root / "etc/group").splitlines()]
    return {
        fields[0]: (int(fields[2]), fields[3].split(","))
        for fields in lines
        if len(fields) > 3 and fields[2].isdecimal()  # a line such as +::: refers to another list
    }
