"""What a watch shows while its cluster cannot be read: no statement outlives its validUntil."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proxmox_offerings.cli.reading import Preview, Reading
from proxmox_offerings.cli.watch import held_now


def offering(*, ends_in: timedelta) -> dict[str, Any]:
    now = datetime.now(UTC).replace(microsecond=0)
    status = {
        "stock": "InStock",
        "available": 17,
        "observedAt": f"{now - timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}",
        "validUntil": f"{now + ends_in:%Y-%m-%dT%H:%M:%SZ}",
        "message": "17 fit",
    }
    return {"metadata": {"name": "fra1-small"}, "spec": {}, "status": status}


@pytest.mark.parametrize(
    ("ends_in", "stock", "available"),
    [
        pytest.param(timedelta(minutes=5), "InStock", 17, id="still holds"),
        pytest.param(timedelta(seconds=-1), "Unknown", None, id="is over"),
    ],
)
def test_a_statement_of_a_cluster_that_is_gone_holds_until_its_end_and_no_longer(
    ends_in: timedelta, stock: str, available: int | None
) -> None:
    gone = Preview(
        host="fra1",
        offerings=(offering(ends_in=ends_in),),
        problem="ConnectionFailed: no endpoint answered",
        reading=Reading(host="fra1"),
    )
    shown = held_now(gone).offerings[0]["status"]
    assert (shown["stock"], shown.get("available")) == (stock, available)
