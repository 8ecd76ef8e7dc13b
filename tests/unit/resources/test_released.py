"""Objects that a released version stored are read by the present models, whole."""

import pytest

from proxmox_offerings.resources import InvalidResource, Offering, ProxmoxHost
from support.released import RELEASES, Object, Release
from unit.resources.schemas import nodes, paths

STORED = [pytest.param(stored, id=f"{one}-{name}") for one in RELEASES for name, stored in one.objects().items()]
MODELS: dict[str, type[ProxmoxHost] | type[Offering]] = {"ProxmoxHost": ProxmoxHost, "Offering": Offering}


@pytest.mark.parametrize("stored", STORED)
def test_what_was_stored_is_read_whole(stored: Object) -> None:
    model = MODELS[stored["kind"]]
    assert set(paths(stored)) <= set(paths(model.parse(stored).to_wire()))


@pytest.mark.parametrize("stored", STORED)
def test_what_a_newer_version_stored_is_read_for_what_is_known_of_it(stored: Object) -> None:
    """An older operator beside newer CustomResourceDefinitions: after a rollback, or while Pods are replaced."""
    model = MODELS[stored["kind"]]
    assert model.parse(with_more(stored)) == model.parse(stored)


@pytest.mark.parametrize("stored", [one for one in STORED if one.values[0]["kind"] == "ProxmoxHost"])
def test_files_of_a_release_are_still_taken_strictly(stored: Object) -> None:
    ProxmoxHost.parse(stored, strict=True)
    with pytest.raises(InvalidResource):
        ProxmoxHost.parse(with_more(stored), strict=True)


@pytest.mark.parametrize("release", RELEASES, ids=str)
def test_the_stored_objects_have_a_value_for_every_field_and_for_none(release: Release) -> None:
    """What they leave out, nobody would miss."""
    objects = release.objects().values()
    for kind, schema in release.schemas().items():
        stored = [one for one in objects if one["kind"] == kind]
        assert {path for path, _ in nodes(schema)} <= {path for one in stored for path in paths(one)}
        required = set(schema["properties"]["spec"]["required"])
        assert any("status" not in one and set(one["spec"]) <= required for one in stored), kind


def with_more(value: object) -> Object:
    """It, with a field more in every object."""

    def more(value: object) -> object:
        if isinstance(value, dict):
            return {**{key: more(part) for key, part in value.items()}, "ofTheFuture": {"x": [1]}}
        return [more(part) for part in value] if isinstance(value, list) else value

    assert isinstance(value, dict)
    return {**value, **{part: more(value[part]) for part in ("spec", "status") if part in value}}
