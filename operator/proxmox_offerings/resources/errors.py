"""How a refused resource is told to the person who wrote it: one sentence for each field, in the spelling of the file."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails


class InvalidResource(ValueError):
    """A resource breaks its schema. `problems` are sentences such as "spec.tiers[0].memory: must be ..."; the text joins them by line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    @classmethod
    def of(cls, error: ValidationError) -> "InvalidResource":
        """Put pydantic's findings in our words; what was written is not repeated."""
        details = error.errors(include_url=False, include_input=False)
        told = (_sentences(detail) for detail in details if not _follows(detail, details))
        return cls(tuple(chain.from_iterable(told)))


def _sentences(detail: ErrorDetails) -> Iterator[str]:
    where = _path(detail["loc"])
    if detail["type"] == "rule":
        for field, message in detail["ctx"]["broken"]:
            yield f"{(where + field).removeprefix('.') or 'resource'}: {message}"
    else:
        yield f"{where or 'resource'}: {_WORDS.get(detail['type']) or _plain(detail['msg'])}"


def _follows(detail: ErrorDetails, others: list[ErrorDetails]) -> bool:
    """Whether a list is only called too short because pydantic counts its bad entries out."""
    depth = len(detail["loc"])
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == detail["loc"] for other in others
    )


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.removeprefix(".")


def _plain(message: str) -> str:
    for theirs, ours in _OPENINGS.items():
        message = message.replace(theirs, ours)
    return message.split(" after validation")[0]


_WORDS: dict[str, Any] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": 'must be text: put it in quotes (YAML reads 5.00 as a number and NO as "false")',
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be an object with named fields",
    "dict_type": "must be an object with named fields",
}
_OPENINGS = {"Input should": "must", "String should": "must", "List should": "must", "Tuple should": "must"}
