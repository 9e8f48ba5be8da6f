from pathlib import Path

import pytest

from rostra.app import reconciling
from rostra.content.places import Places


@pytest.mark.parametrize(("sandboxed", "passable"), [(True, 0o700), (False, 0o711)])
def test_other_accounts_cannot_list_or_read_what_was_published(tmp_path: Path, sandboxed: bool, passable: int) -> None:
    (tmp_path / "bundles").mkdir(mode=0o755)  # as earlier releases made it
    reconciling.close_folders(Places(tmp_path), sandboxed=sandboxed)
    modes = {folder.name: folder.stat().st_mode & 0o777 for folder in tmp_path.iterdir()}
    assert modes == {"bundles": 0o700, "jobs": 0o700, "apps": passable, "renderings": passable}
