from collections.abc import Callable
from pathlib import Path

import pytest
from support.content_environments import BuiltEnvironments

Kernels = Callable[..., Path]


@pytest.fixture(scope="session")
def kernels(pytestconfig: pytest.Config, python_minor: Callable[[str], Path]) -> Kernels:
    """A function: MAJOR.MINOR and further packages to the python of an environment with ipykernel."""
    built = BuiltEnvironments(Path(pytestconfig.cache.mkdir("kernels")))  # type: ignore[union-attr]
    return lambda version, *packages: built.python(python_minor(version), "\n".join(("ipykernel", *packages)))
