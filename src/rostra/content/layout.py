"""What a bundle would be once unpacked, and whether that is safe. Pure: no disk.

Members are added in the archive's order; `settle` then finds the manifest and judges the links with everything known.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rostra.content.errors import BundleRefused, ChecksumMismatch, InvalidManifest
from rostra.content.gzipped import Bounds
from rostra.content.manifest import Manifest
from rostra.content.tarball import Member, Sort

MANIFEST = "manifest.json"
_LINK_HOPS = 40  # as the kernel
_LINK_STEPS = 2_000_000  # for all links together, so that tangles cost no time


@dataclass(frozen=True, slots=True)
class Node:
    """One place in the bundle. ``md5`` is set for files and hard links."""

    sort: Sort
    executable: bool = False
    target: str = ""
    md5: str = ""


@dataclass(slots=True)
class Layout:
    """``nodes`` maps every path, implied folders included, to what is there. The root ``""`` is not among them."""

    bounds: Bounds
    nodes: dict[str, Node] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)

    def add(self, member: Member, md5: str = "") -> bool:
        """Take a member in; False when the same thing is there already (some clients list a folder twice).

        Raises:
            BundleRefused: something else is there, or above it is no folder.
        """
        if not member.path:
            return False
        node = Node(member.sort, member.executable, member.target, md5)
        if member.sort is Sort.hardlink:
            node = self._hardlink(member)
        there = self.nodes.get(member.path)
        if there is None:
            self._folders_above(member.path)
            self._put(member.path, node)
            return True
        if (there.sort, there.target, there.md5) != (node.sort, node.target, node.md5):
            raise BundleRefused("it is there twice, and the two differ", member=member.path)
        return False

    def _hardlink(self, member: Member) -> Node:
        target = self.nodes.get(member.target)
        if target is None or target.sort not in (Sort.file, Sort.hardlink):
            raise BundleRefused("it is a hard link to something that is not an earlier file", member=member.path)
        return Node(Sort.hardlink, target.executable, member.target, target.md5)

    def _folders_above(self, path: str) -> None:
        missing: list[str] = []
        above = path.rpartition("/")[0]
        while above and (there := self.nodes.get(above)) is None:
            missing.append(above)
            above = above.rpartition("/")[0]
        if above and there is not None and there.sort is not Sort.folder:
            raise BundleRefused(f"it lies under a {there.sort.value}", member=path)
        for folder in reversed(missing):
            self._put(folder, Node(Sort.folder))

    def _put(self, path: str, node: Node) -> None:
        if len(self.nodes) >= self.bounds.members:
            raise BundleRefused(f"it has more than {self.bounds.members} files and folders")
        self.nodes[path] = node
        above, _, name = path.rpartition("/")
        self.children.setdefault(above, []).append(name)

    def root(self) -> str:
        """Return the folder that holds the manifest: the archive's root, or the end of a chain of only folders.

        Raises:
            InvalidManifest: there is none at such a place, or it is no file.
        """
        here = ""
        while True:
            found = self.nodes.get(_join(here, MANIFEST))
            if found is not None and found.sort is not Sort.folder:
                break
            inside = self.children.get(here, [])
            only = _join(here, inside[0]) if len(inside) == 1 else ""
            if not only or self.nodes[only].sort is not Sort.folder:
                raise InvalidManifest(
                    "", "is missing", hint="Put it at the top of the bundle (rsconnect write-manifest makes one)."
                )
            here = only
        if found.sort is not Sort.file:
            raise InvalidManifest("", f"is a {found.sort.value}, not a file")
        return here

    def check_links(self, root: str) -> None:
        """Follow every symbolic link as the kernel would; none may leave ``root``, not even on its way."""
        links = {path: node.target for path, node in self.nodes.items() if node.sort is Sort.symlink}
        left = _LINK_STEPS
        for path in links:
            left -= _follow(path, root, links, left)

    def check_sums(self, root: str, manifest: Manifest) -> None:
        """A file that the manifest lists must be the one it lists; a listed file that is absent is fine (Quarto)."""
        for path, expected in manifest.files.items():
            node = self.nodes.get(_join(root, path))
            if expected and node is not None and node.md5 and node.md5 != expected:
                raise ChecksumMismatch(
                    f"the bundle's file {path!a}",
                    expected=expected,
                    found=node.md5,
                    hint="It changed after the manifest was written: write the manifest again "
                    "(rsconnect write-manifest) and publish.",
                )


def _follow(path: str, root: str, links: dict[str, str], most: int) -> int:
    """Return the number of steps it took."""
    floor = root.count("/") + 1 if root else 0
    here = path.split("/")[:-1]
    waiting = deque(links[path].split("/"))
    hops, steps = 1, 0
    while waiting:
        steps += 1
        if steps > most:
            raise BundleRefused("its links are too tangled to follow", member=path)
        part = waiting.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            if len(here) <= floor:
                raise BundleRefused(f"it links out of the bundle, to {links[path]!a}", member=path)
            here.pop()
            continue
        target = links.get("/".join((*here, part)))
        if target is None:
            here.append(part)
            continue
        hops += 1
        if hops > _LINK_HOPS:
            raise BundleRefused("its links go round in a circle", member=path)
        waiting.extendleft(reversed(target.split("/")))
    return steps


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
