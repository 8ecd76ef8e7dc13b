"""One thing that was tried, what came back, what it means, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """FAILED: nothing, or not all, can be sold for it until somebody acts. WARNING: somebody may want to look at it."""

    OK = "Ok"
    WARNING = "Warning"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`area` and `subject` say what it is about ("storage", "local-lvm on pve1"); `fix`: lines to type or to write, in this order."""

    area: str
    subject: str
    verdict: Verdict
    tried: str
    found: str
    means: str | None = None
    fix: tuple[str, ...] = ()

    def to_wire(self, host: str) -> dict[str, Any]:
        """For JSON."""
        return {
            "host": host,
            "area": self.area,
            "subject": self.subject,
            "verdict": self.verdict.value,
            "tried": self.tried,
            "found": self.found,
            "means": self.means,
            "fix": list(self.fix),
        }


def ok(area: str, subject: str, tried: str, found: str) -> Finding:
    return Finding(area=area, subject=subject, verdict=Verdict.OK, tried=tried, found=found)


def warning(area: str, subject: str, tried: str, found: str) -> Finding:
    return Finding(area=area, subject=subject, verdict=Verdict.WARNING, tried=tried, found=found)


def failed(
    area: str, subject: str, tried: str, found: str, *, means: str | None = None, fix: tuple[str, ...] = ()
) -> Finding:
    return Finding(area=area, subject=subject, verdict=Verdict.FAILED, tried=tried, found=found, means=means, fix=fix)


def worst(findings: list[Finding]) -> Verdict:
    order = (Verdict.OK, Verdict.WARNING, Verdict.FAILED)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)
