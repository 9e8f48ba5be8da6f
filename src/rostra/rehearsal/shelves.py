"""Findings as JSON and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rostra.rehearsal.model import Answer, Built, Checked, Moved, Plan, Remark, Resolved, Started, Weight


def put(finding: Resolved | Built | Started | Checked) -> dict[str, Any]:
    return asdict(finding)


def resolved(told: Mapping[str, Any]) -> Resolved:
    return Resolved(
        plans=tuple(_plan(each) for each in told["plans"]),
        reason=told["reason"],
        package=told["package"],
        lines=tuple(told["lines"]),
    )


def built(told: Mapping[str, Any]) -> Built:
    return Built(**{**told, "lines": tuple(told["lines"])})


def started(told: Mapping[str, Any]) -> Started:
    return Started(then=_answer(told["then"]), today=_answer(told["today"]) if told["today"] else None)


def checked(told: Mapping[str, Any]) -> Checked:
    remarks = tuple(Remark(**{**each, "weight": Weight(each["weight"])}) for each in told["remarks"])
    return Checked(remarks=remarks, files=told["files"])


def _plan(told: Mapping[str, Any]) -> Plan:
    return Plan(
        edits=tuple((before, after) for before, after in told["edits"]),
        pins=tuple(told["pins"]),
        moved=tuple(Moved(**each) for each in told["moved"]),
        source=tuple(told["source"]),
        compiled=tuple(told["compiled"]),
    )


def _answer(told: Mapping[str, Any]) -> Answer:
    return Answer(**{**told, "lines": tuple(told["lines"])})
