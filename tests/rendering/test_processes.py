import asyncio
import subprocess
import sys
import threading

import psutil
import pytest

from rostra.rendering.processes import end_descendants, end_tree, to_the_end

pytestmark = pytest.mark.anyio
TREE = """
import subprocess, time
subprocess.Popen(["sleep", "60"], start_new_session=True)
print("up", flush=True)
time.sleep(60)
"""


async def test_a_whole_tree_ends_whatever_its_sessions() -> None:
    with subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        below = psutil.Process(parent.pid).children(recursive=True)
        assert len(below) == 1
        end_tree(parent.pid)
        assert parent.wait(5) == -9
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in below)


async def test_ending_what_is_gone_is_fine() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert end_descendants(gone.pid)
    end_tree(gone.pid)


async def test_work_in_a_thread_is_finished_before_a_cancellation_is_felt() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(5)
        ended.set()

    task = asyncio.create_task(to_the_end(work))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_what_goes_wrong_in_the_thread_is_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await to_the_end(int, "x")
