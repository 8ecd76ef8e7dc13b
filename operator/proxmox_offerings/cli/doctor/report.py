"""Findings for eyes: a sign, what it is about, what came back; below it what that means and what to type."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from proxmox_offerings.cli.doctor.findings import Finding, Verdict
from proxmox_offerings.cli.terminal import Paint


class Signs(NamedTuple):
    """What stands before each line."""

    ok: str
    warning: str
    failed: str
    means: str
    fix: str


PICTURES = Signs("✓", "!", "✗", "→", "$")
WORDS = Signs("ok  ", "warn", "FAIL", "->", "$")
COLORS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red"}
NOT_TYPED = ("spec:", " ", "on the node:", "put ", "add ", "switch ", "name ")
"""What fixes begin with that are not lines for a shell."""


def render(host: str, findings: Sequence[Finding], *, paint: Paint, signs: Signs, quiet: bool = False) -> str:
    """All lines of one host; `quiet`: without what is fine. What mends several things is told once."""
    counted = findings
    findings = [one for one in findings if not quiet or one.verdict is not Verdict.OK]
    if not findings:
        return f"{paint(host, bold=True)}\n{_sum(counted, paint)}"
    told: set[tuple[str | None, tuple[str, ...]]] = set()
    widths = (max(len(one.area) for one in findings), min(34, max(len(one.subject) for one in findings)))
    lines = [paint(host, bold=True)]
    for one in findings:
        sign = {Verdict.OK: signs.ok, Verdict.WARNING: signs.warning, Verdict.FAILED: signs.failed}[one.verdict]
        head = f"{one.area.ljust(widths[0])}  {one.subject.ljust(widths[1])}  "
        lines.append(f"  {paint(sign, COLORS[one.verdict])} {head}{one.found}")
        remedy = (one.means, one.fix)
        if remedy in told and one.fix:
            lines.append(f"      {signs.means} mended as above")
            continue
        told.add(remedy)
        if one.means:
            lines.append(f"      {signs.means} {one.means}")
        for line in one.fix:
            typed = not line.startswith(NOT_TYPED)
            lines.append(f"      {paint(f'{signs.fix} {line}' if typed else line, 'cyan')}")
    return "\n".join([*lines, _sum(counted, paint)])


def _sum(findings: Sequence[Finding], paint: Paint) -> str:
    counts = Counter(one.verdict for one in findings)
    failed, warnings = counts[Verdict.FAILED], counts[Verdict.WARNING]
    told = [f"{counts[Verdict.OK]} fine"]
    told += [paint(f"{warnings} warning{'' if warnings == 1 else 's'}", "yellow")] if warnings else []
    told += [paint(f"{failed} failed", "red", bold=True)] if failed else []
    return f"  {', '.join(told)}"
