"""What was measured, what was hoped for, and how both are shown. A goal that is missed is said plainly; it is not an error."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

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

    @property
    def more_is_better(self) -> bool:
        return self.relation == ">="

    def __str__(self) -> str:
        return f"{self.relation} {self.value:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. `unit` may be empty; `beside` says what it was compared with in the same run, `remark` what it was measured on.

    `tolerance`: by which part it may be worse than in another run before that is a change for the worse; None: says more about the machine than
    about the program, and is not compared.
    """

    what: str
    value: float
    unit: str = ""
    beside: str = ""
    goal: Goal | None = None
    tolerance: float | None = None
    remark: str = ""

    @property
    def verdict(self) -> str:
        """met, MISSED, or nothing where no goal was set."""
        if self.goal is None:
            return ""
        return "met" if self.goal.met_by(self.value) else "MISSED"

    @property
    def shown(self) -> str:
        """Three digits that count; more where these would make a goal look met, or missed, that is not."""
        value = self.value
        if value == int(value) or abs(value) >= 1000:
            number = f"{value:,.0f}"
        elif self.goal is not None and float(f"{value:.3g}") == self.goal.value:
            number = f"{value:.6g}"
        else:
            number = f"{value:.3g}"
        return f"{number} {self.unit}".rstrip()

    def worse_than(self, other: "Figure") -> bool:
        """Whether it is further from what is wished for than `other`, by more than the tolerance. Less is better, unless the goal says otherwise."""
        if self.tolerance is None:
            return False
        if self.goal is not None and self.goal.more_is_better:
            return self.value < other.value * (1 - self.tolerance)
        return self.value > other.value * (1 + self.tolerance)

    def to_json(self) -> dict[str, Any]:
        """For comparing runs."""
        goal = None if self.goal is None else {"relation": self.goal.relation, "value": self.goal.value}
        told = {
            "what": self.what,
            "value": round(self.value, 6),
            "unit": self.unit,
            "beside": self.beside,
            "goal": goal,
            "tolerance": self.tolerance,
            "remark": self.remark,
        }
        return {key: value for key, value in told.items() if value not in (None, "")}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        goal = None if "goal" not in told else Goal(**told["goal"])
        return cls(**{**told, "goal": goal})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures of one benchmark; `setting` says in a line what was measured, on what."""

    name: str
    setting: str
    figures: tuple[Figure, ...]

    def to_json(self) -> dict[str, Any]:
        """For comparing runs."""
        return {"setting": self.setting, "figures": [figure.to_json() for figure in self.figures]}

    @classmethod
    def of_json(cls, name: str, told: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(name=name, setting=told["setting"], figures=tuple(map(Figure.of_json, told["figures"])))


COLUMNS = ("what", "measured", "beside", "goal", "", "")


def rows_of(result: Result) -> list[tuple[str, ...]]:
    """A row of cells for each figure, as COLUMNS names them."""
    return [
        (
            figure.what,
            figure.shown,
            figure.beside,
            "" if figure.goal is None else str(figure.goal),
            figure.verdict,
            figure.remark,
        )
        for figure in result.figures
    ]


def table(results: Iterable[Result]) -> str:
    """All results for people."""
    lines = []
    for result in results:
        lines += [f"{result.name}: {result.setting}"]
        rows = rows_of(result)
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for what, value, *rest, remark in rows:
            cells = [f"{what:<{widths[0]}}", f"{value:>{widths[1]}}"]
            cells += [f"{cell:<{width}}" for cell, width in zip(rest, widths[2:], strict=True)]
            lines.append(f"  {'  '.join(cells)}  {remark}".rstrip())
        lines.append("")
    return "\n".join(lines)
