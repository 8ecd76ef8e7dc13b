"""What a scrape of a running operator tells, and that it forgets what is gone."""

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, OperatorThread, eventually
from integration.operator.test_publishing import BIG, SMALL, selling


def names(operator: OperatorThread) -> set[str]:
    """All series, without their values."""
    return {line.rpartition(" ")[0] for line in operator.metrics().splitlines() if not line.startswith("#")}


def test_the_series_of_a_host_go_with_it(kube: Kube, clusters: Clusters, start: Start) -> None:
    """A process that serves hosts which come and go stays as large as it was."""
    selling(kube, clusters, SMALL, name="stays")
    operator = start()
    eventually(lambda: kube.reason("stays") == "Observed")
    operator.settle()
    before = names(operator)
    assert (
        f'proxmox_offerings_available{{host="stays",namespace="{kube.namespace}",stock="InStock",tier="small"}}'
        in before
    )

    selling(kube, clusters, SMALL, BIG, name="goes")
    eventually(lambda: kube.reason("goes") == "Observed")
    operator.settle()
    more = names(operator) - before
    assert len(more) > 10
    assert all('host="goes"' in name for name in more if name.startswith("proxmox_offerings_") and "host=" in name)

    kube.kubectl("delete", "proxmoxhost", "goes")
    eventually(lambda: not {name for name in names(operator) if "goes" in name})
    # What was counted of calls stays: kinds of calls are few, whatever the number of hosts.
    assert all(
        name.startswith(("rest_client_", "process_", "controller_runtime_reconcile"))
        for name in names(operator) - before
    )
