"""Which imports can be made before a notebook is run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.rendering.leading_imports import Import, leading_imports

PANDAS, NUMPY, PYPLOT = Import("pandas"), Import("numpy"), Import("matplotlib.pyplot")


@pytest.mark.parametrize(
    ("cells", "expected", "why"),
    [
        (["import pandas as pd\nimport numpy as np"], (PANDAS, NUMPY), "in order"),
        (["import pandas, numpy"], (PANDAS, NUMPY), "two in a line"),
        (["import pandas", "import pandas as pd"], (PANDAS,), "once"),
        (["from matplotlib import pyplot as plt"], (Import("matplotlib", ("pyplot",)),), "names may be modules"),
        (["from numpy import *"], (NUMPY,), "whatever it holds"),
        (["'''A report'''\nimport os, json\nimport pandas"], (PANDAS,), "the standard library is there already"),
        (["YEAR, WHERE = 2026, 'here'", "import pandas"], (), "two names at once are not looked into"),
        (["YEAR = 2026\nPLACES = ['a', -1]", "import pandas"], (PANDAS,), "plain values do nothing"),
        (["%matplotlib inline\nimport pandas"], (PANDAS,), "the usual first line"),
        (["import numpy", "%env X=1", "import pandas"], (NUMPY,), "a magic may do anything"),
        (["import numpy\n!pip install pandas\nimport pandas"], (), "a cell that is not Python is not looked into"),
        (["import os\nos.environ['A'] = 'b'\nimport pandas"], (), "an import may read that"),
        (["import warnings\nwarnings.simplefilter('error')\nimport pandas"], (), "an import may warn"),
        (["import sys; sys.path.insert(0, 'lib')", "import pandas"], (), "another one may be found"),
        (["__builtins__ = {}", "import pandas"], (), "names of the interpreter"),
        (["import mine\nimport pandas"], (), "code of others may do anything"),
        (["import pandas\nimport mine\nimport numpy"], (PANDAS,), "what comes before is made ahead"),
        (["from . import mine\nimport pandas"], (), "a relative one"),
        (["try:\n    import pandas\nexcept ImportError:\n    pass"], (), "it may fail"),
        (["def f():\n    import pandas"], (), "not at the top"),
        (["import pandas +"], (), "no Python at all"),
        (["import pandas\x00"], (), "nor text"),
        (["-" * 5000 + "1", "import pandas"], (), "too deep"),
        (["x = '" + "a" * 300_000 + "'", "import pandas"], (), "too long"),
        ([], (), "nothing"),
    ],
)
def test_leading_imports(cells: list[str], expected: tuple[Import, ...], why: str) -> None:
    assert leading_imports(cells) == expected, why


@pytest.mark.parametrize("own", ["pandas", "random"])
def test_what_the_bundle_brings_under_such_a_name_ends_the_walk(own: str) -> None:
    assert leading_imports(["import random\nimport pandas"], own={own}) == ()


@given(st.lists(st.text(), max_size=5))
def test_any_text_is_looked_at_without_a_failure(cells: list[str]) -> None:
    leading_imports(cells)
