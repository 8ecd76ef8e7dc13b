"""The strictness that all descriptions share, and how their errors are told to people."""

import re

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class ConfigError(Exception):
    """The description of a cluster cannot be used. The message is one sentence for people."""


class Model(BaseModel):
    """Keys are camelCase in files; unknown keys and values of a wrong type are refused."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        validate_assignment=True,
    )


def sentence(problem: ValidationError) -> str:
    """The first error as "nodes[0].memory: a size is …"."""
    first = problem.errors()[0]
    where = ""
    for part in first["loc"]:
        if isinstance(part, int):
            where += f"[{part}]"
        elif not re.search(r"[\[\]()-]", part):  # what is left out are pydantic's names for the branches of a union
            where += f".{part}"
    said = first["msg"].removeprefix("Value error, ")
    return f"{where.removeprefix('.')}: {said}" if where else said
