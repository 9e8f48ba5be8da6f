"""From what the steps found to one verdict. Pure; the table for people is docs/explanation/rehearsal.md.

Asked in this order, and the first that applies decides:

1. no interpreter may be used → needs-work (the item's own range is in the way) or impossible (there is none);
2. nothing resolves, or nothing that resolves can be built → impossible;
3. it does not start, or answers worse than today → needs-work;
4. a line of its own code is known to break → needs-work, also when it started: one page was asked for, not every one;
5. packages would have other versions → new-pins;
6. otherwise safe.
"""

from __future__ import annotations

import re

from rostra.rehearsal.model import (
    Answer,
    Checked,
    Findings,
    Outcome,
    Plan,
    Remark,
    Resolved,
    Started,
    Step,
    Verdict,
    Weight,
)

_MOST_NOTES = 8


def judge(found: Findings) -> Verdict:
    """Return the verdict over one item."""
    if found.matched.forbidden:
        return _no_target(found)
    if (none := _not_installable(found)) is not None:
        return none
    plan = plan_of(found)
    for settled in (_not_started(found, plan), _breaks(found, plan)):
        if settled is not None:
            return settled
    return _fine(found, plan)


def plan_of(found: Findings) -> Plan:
    """Return the plan that was built; before building, the one that most likely can be."""
    plans = found.resolved.plans if found.resolved else ()
    if found.built and found.built.plan is not None:
        return plans[found.built.plan]
    return next((plan for plan in plans if not plan.compiled), plans[0] if plans else Plan())


def depth_of(found: Findings) -> Step:
    done = ((Step.static, found.checked), (Step.start, found.started), (Step.build, found.built))
    return next((step for step, what in (*done, (Step.resolve, found.resolved)) if what), Step.match)


def _no_target(found: Findings) -> Verdict:
    told = found.matched
    if told.to:
        action = f"Widen requires in the manifest's environment section so that it allows {told.to}, and publish again."
        outcome = Outcome.needs_work
    else:
        action, outcome = "Add a newer Python to the server, or keep this one.", Outcome.impossible
    return Verdict(
        outcome=outcome,
        depth=Step.match,
        decided_by=Step.match,
        reason=_sentence(told.forbidden),
        action=action,
    )


def _not_installable(found: Findings) -> Verdict | None:
    resolved, built = found.resolved, found.built
    if resolved is None:
        return None
    if built is not None:
        if built.plan is not None:
            return None
        why, step, lines = built.reason or resolved.reason, Step.build, built.lines or resolved.lines
    elif not any(not plan.compiled for plan in resolved.plans):
        why, step, lines = _why_not(resolved), Step.resolve, resolved.lines
    else:
        return None
    package = (built.package if built else "") or resolved.package or "the package"
    action = f"Replace {package.split('==')[0]}, or keep a Python it can be installed on."
    return Verdict(
        outcome=Outcome.impossible,
        depth=depth_of(found),
        decided_by=step,
        reason=_sentence(why or "its packages cannot be installed"),
        action=action,
        notes=_notes(found),
        lines=tuple(lines),
    )


def _why_not(resolved: Resolved) -> str:
    if not resolved.plans:
        return resolved.reason
    names = ", ".join(resolved.plans[0].compiled)
    return f"{names} must be compiled from source: there is no wheel for this Python"


def _not_started(found: Findings, plan: Plan) -> Verdict | None:
    started = found.started
    if started is None or not worse(started):
        return None
    then = started.then
    hint = _at(found.checked, then)
    reason = then.reason or f"answers {then.status} instead of {started.today.status if started.today else 'a page'}"
    where, action = then.where, "Correct the code and publish it again."
    if hint is not None:
        reason, where = f"{reason}; the line {hint.text}", hint.where
    elif not then.where or "(in " in reason:
        action = "A package does not work on the new Python: ask for a newer release of it and publish again."
    if started.today is not None and not started.today.good:
        reason = f"it does not work today either: {reason}"
    return Verdict(
        outcome=Outcome.needs_work,
        depth=depth_of(found),
        decided_by=Step.start,
        reason=_sentence(reason),
        where=where,
        action=action,
        broken_today=started.today is not None and not started.today.good,
        plan=plan,
        notes=_notes(found),
        lines=then.lines,
    )


def worse(started: Started) -> bool:
    """Whether it fails, or answers with another class of status than today."""
    then, today = started.then, started.today
    if not then.good:
        return True
    if today is None or not today.good or then.status is None or today.status is None:
        return False
    return then.status // 100 != today.status // 100 and then.status >= 400


def next_plan(found: Findings) -> int | None:
    """Return the number of the plan to try after the one that was built does not start, None when that cannot help.

    It can where the item answers today, and nothing known of its own code explains the failure.
    """
    resolved, built, started = found.resolved, found.built, found.started
    if resolved is None or built is None or built.plan is None or started is None or not worse(started):
        return None
    if started.today is None or not started.today.good or _at(found.checked, started.then) is not None:
        return None
    following = built.plan + 1
    return following if following < len(resolved.plans) else None


def not_started(found: Findings) -> str:
    """Say of a plan that installs why it is not the one to use."""
    changed = [f"{each.name} {each.after}" for each in plan_of(found).moved if each.before and each.after]
    fewer = f"with {', '.join(changed[:3])} alone" if changed else "with today's packages"
    then = found.started.then if found.started else None
    return f"{fewer} it installs but does not start: {(then.reason if then else '') or 'it answers worse than today'}"


def _breaks(found: Findings, plan: Plan) -> Verdict | None:
    broken = [each for each in found.checked.remarks if each.weight is Weight.breaks] if found.checked else []
    if found.started is not None and found.started.then.ran:
        broken = [each for each in broken if each.lazy]  # the rest has been run, and it worked
    if not broken:
        return None
    first = broken[0]
    more = f", and {len(broken) - 1} more such lines" if len(broken) > 1 else ""
    later = ""
    if found.started is not None and first.lazy:
        later = " It starts all the same: the line is only reached when a function is called."
    elif found.started is not None:
        later = " Its server starts all the same: its own code runs only when a browser has opened a session."
    return Verdict(
        outcome=Outcome.needs_work,
        depth=depth_of(found),
        decided_by=Step.static,
        reason=_sentence(f"{first.where} {first.text}{more}") + later,
        where=first.where,
        action="Correct the code and publish it again.",
        plan=plan,
        notes=_notes(found),
    )


def _fine(found: Findings, plan: Plan) -> Verdict:
    to, deepest = found.matched.to, depth_of(found)
    far = {
        Step.match: "there is a Python for it",
        Step.resolve: "its packages resolve as they are",
        Step.build: "its packages install as they are",
        Step.start: "it has the same packages, starts and answers as today",
        Step.static: "nothing in its code is known to break",
    }
    if plan.newer:
        return _new_pins(found, plan)
    if found.started is not None:
        deepest = Step.start
    elif found.built is not None:
        deepest = Step.build
    elif found.resolved is not None:
        deepest = Step.resolve
    if found.started is not None and not found.started.then.ran:
        far[Step.start] = f"it has the same packages and its server starts, but {found.started.then.unseen}"
    return Verdict(
        outcome=Outcome.safe,
        depth=depth_of(found),
        decided_by=deepest,
        reason=_sentence(far[deepest]),
        action=f"Rebuild it for Python {to}; nobody has to change anything.",
        plan=plan,
        notes=_notes(found),
    )


def _new_pins(found: Findings, plan: Plan) -> Verdict:
    assert found.resolved is not None
    changed = [f"{each.name} {each.before} → {each.after}" for each in plan.moved if each.before and each.after]
    shown = ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
    why = f" ({found.resolved.reason.rstrip('.')})" if found.resolved.reason else ""
    action = "Publish it again; its requirements allow the newer packages."
    if plan.edits:
        action = (
            "Change requirements.txt: " + "; ".join(f"{a} → {b}" for a, b in plan.edits[:4]) + ", and publish again."
        )
    started = " It starts and answers with them." if found.started else ""
    return Verdict(
        outcome=Outcome.new_pins,
        depth=depth_of(found),
        decided_by=Step.build if found.built else Step.resolve,
        reason=_sentence(f"it needs newer packages: {shown}{why}") + started,
        action=action,
        plan=plan,
        notes=_notes(found),
    )


def _at(checked: Checked | None, then: Answer) -> Remark | None:
    """Return what the static check says about the very line a start failed at.

    Where the start does not tell its line, as R often does not, the module that it missed leads to one.
    """
    if checked is None:
        return None
    if not then.where:
        missed = [each for each in checked.remarks if each.module and f"No module named '{each.module}'" in then.reason]
        return missed[0] if missed else None
    return next((each for each in checked.remarks if each.where == then.where), None)


def _notes(found: Findings) -> tuple[str, ...]:
    notes: list[str] = []
    if found.built and found.built.plan is not None and found.built.reason:
        notes.append(_sentence(found.built.reason))
    if found.started and found.started.then.unseen:
        notes.append(_sentence(found.started.then.unseen))
    if found.checked:
        notes += [f"{each.where} {each.text}" for each in found.checked.remarks if each.weight is not Weight.breaks]
    return tuple(notes[:_MOST_NOTES])


def _sentence(text: str) -> str:
    text = text.strip()
    if re.match(r"\S*(==|\w\.\w)", text):  # a package and a file keep their names
        return text + ("" if text.endswith((".", "!", "?")) else ".")
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
