"""What was measured, what was hoped for, and how both are shown. A goal that is missed is said plainly; it is not an error."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`relation` is one of <=, >=, < and =."""

    relation: str
    value: float

    def met_by(self, measured: float) -> bool:
        return _HOLDS[self.relation](measured, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. `unit` may be empty; `remark` says what it was measured on."""

    what: str
    value: float
    unit: str = ""
    goal: Goal | None = None
    remark: str = ""

    @property
    def verdict(self) -> str:
        """met, MISSED, or nothing where no goal was set."""
        if self.goal is None:
            return ""
        return "met" if self.goal.met_by(self.value) else "MISSED"

    def to_json(self) -> dict[str, Any]:
        """For comparing runs."""
        goal = None if self.goal is None else f"{self.goal.relation} {self.goal.value:g}"
        return {
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "goal": goal,
            "verdict": self.verdict or None,
            "remark": self.remark,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures of one benchmark; `setting` says in a line what was measured, on what."""

    name: str
    setting: str
    figures: tuple[Figure, ...]


def table(results: Iterable[Result]) -> str:
    """All results for people."""
    lines = []
    for result in results:
        lines += [f"{result.name}: {result.setting}"]
        rows = [_row(figure) for figure in result.figures]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for what, value, goal, verdict, remark in rows:
            cells = f"  {what:<{widths[0]}}  {value:>{widths[1]}}  {goal:<{widths[2]}}  {verdict:<{widths[3]}}"
            lines.append(f"{cells}  {remark}".rstrip())
        lines.append("")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    goal = "" if figure.goal is None else f"goal {figure.goal.relation} {figure.goal.value:g}"
    return (figure.what, f"{_number(figure)} {figure.unit}".rstrip(), goal, figure.verdict, figure.remark)


def _number(figure: Figure) -> str:
    """Three digits that count; more where these would make a goal look met, or missed, that is not."""
    value = figure.value
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if figure.goal is not None and float(f"{value:.3g}") == figure.goal.value:
        return f"{value:.6g}"
    return f"{value:.3g}"
