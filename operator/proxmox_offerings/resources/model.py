"""The base of everything in the two resources: how Python names become wire names, how it is read and how it is
written.

Models are frozen and their lists are tuples. What the API server sends may hold fields that this version does not
know (a newer CRD): they are ignored. What a person wrote in a file is read strictly, so that a typo is not silently a
default.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from proxmox_offerings.resources.errors import InvalidResource
from proxmox_offerings.resources.rules import Rule, refuse_broken


class Model(BaseModel):
    """A part of a resource: snake_case here, camelCase on the wire, immutable."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        extra="ignore",
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()
    """Rules between fields."""

    @classmethod
    def parse(cls, written: Mapping[str, Any], *, strict: bool = False) -> Self:
        """Read wire form; `strict` also refuses unknown fields. Raises InvalidResource."""
        try:
            return cls.model_validate(dict(written), by_alias=True, by_name=False, extra="forbid" if strict else None)
        except ValidationError as error:
            raise InvalidResource.of(error) from None

    def to_wire(self) -> dict[str, Any]:
        """JSON types under wire names in the order of definition; what is None is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Not a model_validator: thousands of parts without rules are made in each plan, and would all be asked for theirs.
        schema = handler(source)
        return core_schema.no_info_after_validator_function(cls._checked, schema) if cls.RULES else schema

    @classmethod
    def _checked(cls, made: Self) -> Self:
        refuse_broken(cls.RULES, made)
        return made

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        if cls.RULES:
            handler.resolve_ref_schema(described)["x-kubernetes-validations"] = [rule.as_schema() for rule in cls.RULES]
        return described
