from pathlib import Path

from rostra.rendering.kernel_command import command, environment

PYTHON, FOLDER = Path("/env/bin/python"), Path("/run/k")
GIVEN = {"LD_PRELOAD": "/work/evil.so", "GCONV_PATH": "/work", "REGION": "north", "HOME": "/elsewhere"}


def test_what_the_loader_obeys_is_set_only_inside() -> None:
    """Whatever wraps the command may run as root when it starts; these variables are the author's."""
    inside = command(PYTHON, FOLDER, GIVEN)
    outside = environment(PYTHON, FOLDER, GIVEN)
    assert inside[:4] == ("/usr/bin/env", "LD_PRELOAD=/work/evil.so", "GCONV_PATH=/work", "/env/bin/python")
    assert not {"LD_PRELOAD", "GCONV_PATH"} & set(outside)
    assert outside["REGION"] == "north"


def test_without_such_variables_the_interpreter_is_started_itself() -> None:
    assert command(PYTHON, FOLDER, {})[0] == "/env/bin/python"


def test_the_home_folder_goes_with_the_render_unless_the_owner_names_one() -> None:
    assert environment(PYTHON, FOLDER, {})["HOME"] == "/run/k/home"
    assert environment(PYTHON, FOLDER, GIVEN)["HOME"] == "/elsewhere"
