"""What may be written in a resource beyond types and bounds, each rule stated once.

A Rule says the same thing twice, side by side: in CEL for the API server, and in Python for the command line, which
works without one. Both refuse with the same message. Used as `Annotated[str, Rule(...)]` on a value, or in a Model's
`RULES` where several fields are concerned.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One requirement.

    `holds` and `cel` decide the same; `message` says what is right. `field` is the wire path to blame, below the object
    that has the rule. `instead_of` is the keyword of the schema whose own message this rule replaces.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool]
    field: str = ""
    instead_of: str = ""

    @classmethod
    def pattern(cls, regex: str, message: str) -> Self:
        """The whole text must match `regex`, written in what RE2 and Python have in common."""
        compiled = re.compile(regex, re.ASCII)
        quoted = regex.replace("\\", "\\\\").replace("'", "\\'")
        return cls(
            cel=f"self.matches('^({quoted})$')",
            message=message,
            holds=lambda text: compiled.fullmatch(text) is not None,
        )

    def as_schema(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        blamed = {"fieldPath": self.field} if self.field else {}
        return {"rule": self.cel, "message": self.message, **blamed}

    def _checked(self, value: Any) -> Any:
        refuse_broken((self,), value)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        described.pop(self.instead_of, None)
        described.setdefault("x-kubernetes-validations", []).append(self.as_schema())
        return described


def refuse_broken(rules: tuple[Rule, ...], value: Any) -> None:
    """Raise one PydanticCustomError of type `rule` naming all rules that `value` breaks, as (field, message) pairs in its context."""
    broken = [(rule.field, rule.message) for rule in rules if not rule.holds(value)]
    if broken:
        raise PydanticCustomError(
            "rule", "{summary}", {"summary": "; ".join(message for _, message in broken), "broken": broken}
        )
