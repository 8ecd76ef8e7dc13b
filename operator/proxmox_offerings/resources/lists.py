"""How the API server merges a list when several writers apply it.

Unless it says otherwise a list is atomic: what one writer applies is what there is. Lists of plain values stay atomic
on purpose: merged as sets, a default such as `include: ["*"]` would survive beside whatever is applied later.
"""

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Keyed:
    """The list is a map: its objects are told apart by `keys` (wire names), and two with equal keys are refused."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        described["x-kubernetes-list-type"] = "map"
        described["x-kubernetes-list-map-keys"] = list(self._keys)
        return described
