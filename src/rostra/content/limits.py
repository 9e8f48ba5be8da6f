"""How many processes of which size an item may ask for. Pure; None everywhere means: the server's default.

The numbers are the wire's: clients show them, and some branch on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rostra.config.sections import Scheduler
from rostra.content.errors import shown
from rostra.errors import Invalid

LONGEST_TIMEOUT = 2_592_000  # seconds: 30 days
_LARGEST = 2**63 - 1  # what a database column holds


class LimitRefused(Invalid):
    """``field`` has a value outside what is ``expected``. Each subclass is one number of the wire."""

    code = "limit-refused"
    number = 25
    field: str = ""
    expected: str = ""

    def __init__(self, given: object, *, field: str = "", expected: str = "") -> None:
        self.given = given
        self.field = field or self.field
        super().__init__(
            f"{self.field} cannot be {shown(given, 40)}",
            hint=f"Send {expected or self.expected}, or null for the server's default.",
        )


class MinProcessesInvalid(LimitRefused):
    code, number, field, expected = "min-processes-invalid", 191, "min_processes", "a whole number from 0"


class MinProcessesOverLimit(LimitRefused):
    code, number, field = "min-processes-over-limit", 45, "min_processes"


class MaxProcessesInvalid(LimitRefused):
    code, number, field, expected = "max-processes-invalid", 192, "max_processes", "a whole number from 1"


class MaxProcessesZero(LimitRefused):
    code, number, field, expected = "max-processes-zero", 272, "max_processes", "a whole number from 1"


class MaxProcessesOverLimit(LimitRefused):
    code, number, field = "max-processes-over-limit", 113, "max_processes"


class MinOverMaxProcesses(LimitRefused):
    code, number, field = "min-over-max-processes", 114, "min_processes"


class MaxConnsInvalid(LimitRefused):
    code, number, field, expected = "max-conns-invalid", 239, "max_conns_per_process", "a whole number from 1"


class LoadFactorInvalid(LimitRefused):
    code, number, field, expected = "load-factor-invalid", 150, "load_factor", "a number from 0.0 to 1.0"


class TimeoutInvalid(LimitRefused):
    code, number = "timeout-invalid", 151
    expected = f"whole seconds from 0 to {LONGEST_TIMEOUT}"


class MemoryRequestInvalid(LimitRefused):
    code, number, field, expected = "memory-request-invalid", 181, "memory_request", "a whole number of bytes from 0"


class MemoryRequestOverCeiling(LimitRefused):
    code, number, field = "memory-request-over-ceiling", 182, "memory_request"


class MemoryLimitInvalid(LimitRefused):
    code, number, field, expected = "memory-limit-invalid", 183, "memory_limit", "a whole number of bytes from 0"


class MemoryLimitOverCeiling(LimitRefused):
    code, number, field = "memory-limit-over-ceiling", 184, "memory_limit"


class MemoryRequestOverLimit(LimitRefused):
    code, number, field = "memory-request-over-limit", 185, "memory_request"


class CpuRequestInvalid(LimitRefused):
    code, number, field, expected = "cpu-request-invalid", 186, "cpu_request", "a number of cores from 0"


class CpuRequestOverCeiling(LimitRefused):
    code, number, field = "cpu-request-over-ceiling", 187, "cpu_request"


class CpuLimitInvalid(LimitRefused):
    code, number, field, expected = "cpu-limit-invalid", 188, "cpu_limit", "a number of cores from 0"


class CpuLimitOverCeiling(LimitRefused):
    code, number, field = "cpu-limit-over-ceiling", 189, "cpu_limit"


class CpuRequestOverLimit(LimitRefused):
    code, number, field = "cpu-request-over-limit", 190, "cpu_request"


class AmdGpuInvalid(LimitRefused):
    code, number, field, expected = "amd-gpu-limit-invalid", 196, "amd_gpu_limit", "a whole number from 0"


class NvidiaGpuInvalid(LimitRefused):
    code, number, field, expected = "nvidia-gpu-limit-invalid", 198, "nvidia_gpu_limit", "a whole number from 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """The most an item may ask for, and the defaults that count where it does not ask. None: no ceiling."""

    min_processes: int = 0
    max_processes: int = 3
    min_processes_limit: int = 0
    max_processes_limit: int = 20
    memory_request: int | None = None
    memory_limit: int | None = None
    cpu_request: float | None = None
    cpu_limit: float | None = None


def ceilings(settings: Scheduler) -> Ceilings:
    return Ceilings(
        min_processes=settings.min_processes,
        max_processes=settings.max_processes,
        min_processes_limit=settings.min_processes_limit,
        max_processes_limit=settings.max_processes_limit,
    )


def whole(value: object, least: int = 0, most: int = _LARGEST) -> bool:
    return type(value) is int and least <= value <= most


def timeout(field: str) -> Callable[[object], Any]:
    def check(value: object) -> Any:
        if not whole(value, 0, LONGEST_TIMEOUT):
            raise TimeoutInvalid(value, field=field)
        return value

    return check


def _whole_from(least: int, refusal: type[LimitRefused]) -> Callable[[object], Any]:
    def check(value: object) -> Any:
        if not whole(value, least):
            raise refusal(value)
        return value

    return check


def _number_to(most: float, refusal: type[LimitRefused]) -> Callable[[object], Any]:
    def check(value: object) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise refusal(value)  # what is not a number at all (NaN) compares with nothing
        return float(value)

    return check


def _max_processes(value: object) -> Any:
    if value == 0 and type(value) is int:
        raise MaxProcessesZero(value)
    return _whole_from(1, MaxProcessesInvalid)(value)


CHECKS: Mapping[str, Callable[[object], Any]] = {
    "min_processes": _whole_from(0, MinProcessesInvalid),
    "max_processes": _max_processes,
    "max_conns_per_process": _whole_from(1, MaxConnsInvalid),
    "load_factor": _number_to(1.0, LoadFactorInvalid),
    "init_timeout": timeout("init_timeout"),
    "idle_timeout": timeout("idle_timeout"),
    "connection_timeout": timeout("connection_timeout"),
    "read_timeout": timeout("read_timeout"),
    "memory_request": _whole_from(0, MemoryRequestInvalid),
    "memory_limit": _whole_from(0, MemoryLimitInvalid),
    "cpu_request": _number_to(1e6, CpuRequestInvalid),
    "cpu_limit": _number_to(1e6, CpuLimitInvalid),
    "amd_gpu_limit": _whole_from(0, AmdGpuInvalid),
    "nvidia_gpu_limit": _whole_from(0, NvidiaGpuInvalid),
}
"""One check for each field: returns what is stored, or raises its own error. None never comes here."""


def check_together(asked: Mapping[str, Any], top: Ceilings) -> None:
    """Judge all limits of an item as they would be after a change.

    Raises:
        LimitRefused: one of its subclasses.
    """
    least, most = asked.get("min_processes"), asked.get("max_processes")
    if least is not None and least > top.min_processes_limit:
        raise MinProcessesOverLimit(least, expected=f"at most {top.min_processes_limit}")
    if most is not None and most > top.max_processes_limit:
        raise MaxProcessesOverLimit(most, expected=f"at most {top.max_processes_limit}")
    highest = top.max_processes if most is None else most
    if least is not None and least > highest:
        raise MinOverMaxProcesses(least, expected=f"at most max_processes, which is {highest}")
    over: tuple[tuple[str, float | None, type[LimitRefused]], ...] = (
        ("memory_request", top.memory_request, MemoryRequestOverCeiling),
        ("memory_limit", top.memory_limit, MemoryLimitOverCeiling),
        ("memory_request", asked.get("memory_limit"), MemoryRequestOverLimit),
        ("cpu_request", top.cpu_request, CpuRequestOverCeiling),
        ("cpu_limit", top.cpu_limit, CpuLimitOverCeiling),
        ("cpu_request", asked.get("cpu_limit"), CpuRequestOverLimit),
    )
    for field, ceiling, refusal in over:
        value = asked.get(field)
        if value is not None and ceiling is not None and value > ceiling:
            raise refusal(value, expected=f"at most {ceiling}")
