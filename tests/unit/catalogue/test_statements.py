"""What an Offering says: stock words, the sentence for people, what it is made of, and what follows from the host alone."""

from typing import Any

import pytest

from proxmox_offerings.catalogue.observed import counts_of
from proxmox_offerings.catalogue.plan import NOT_OBSERVED, unobserved
from proxmox_offerings.catalogue.stock import stock_of
from proxmox_offerings.catalogue.systems import system_name
from proxmox_offerings.inventory.snapshot import Template
from proxmox_offerings.proxmox.answers import Volume
from proxmox_offerings.resources import OperatingSystemRule, Quantity, Stock, StockPolicy
from support.cluster import cards, cluster, config, function, guest, host, node, offer, planned, storage, tier

IN, LOW, OUT, UNKNOWN = Stock.IN_STOCK, Stock.LOW_STOCK, Stock.OUT_OF_STOCK, Stock.UNKNOWN


class TestStock:
    @pytest.mark.parametrize(
        ("available", "policy", "past", "stock", "said"),
        [
            (None, {}, None, UNKNOWN, None),
            (None, {}, OUT, UNKNOWN, None),
            (0, {}, None, OUT, 0),
            (1, {}, None, LOW, 1),
            (2, {}, None, LOW, 2),
            (3, {}, None, IN, 3),
            (1, {"low_threshold": 0}, None, IN, 1),
            (4, {"restock_threshold": 5}, OUT, OUT, 0),
            (5, {"restock_threshold": 5}, OUT, IN, 5),
            (4, {"restock_threshold": 5}, IN, IN, 4),
            (4, {"restock_threshold": 5}, LOW, IN, 4),
            (4, {"restock_threshold": 5}, None, IN, 4),
            (4, {"restock_threshold": 5}, UNKNOWN, IN, 4),
            (2, {"restock_threshold": 2}, OUT, LOW, 2),
        ],
    )
    def test_words(
        self, available: int | None, policy: dict[str, Any], past: Stock | None, stock: Stock, said: int | None
    ) -> None:
        statement = stock_of(available, policy=StockPolicy(**policy), past=past)
        assert (statement.stock, statement.available) == (stock, said)

    def test_below_the_restock_threshold_no_node_claims_units(self) -> None:
        said = offer(cluster(nodes=[node(threads=4)]), past=OUT, stock={"restockThreshold": 5}).statement
        assert (said.stock, said.available, [on.available for on in said.nodes]) == (OUT, 0, [0])
        assert said.message == "sold out until 5 fit again (4 fit: 4 on pve1; CPU runs out first)"


class TestSentences:
    def sentence(self, *nodes: Any, one: Any = None, **rest: Any) -> str | None:
        spec = rest.pop("spec", {})
        return offer(cluster(nodes=nodes, **rest), one, **spec).statement.message

    def test_how_many_and_where(self) -> None:
        nodes = [node(name, threads=count) for name, count in (("pve1", 9), ("pve2", 1), ("pve3", 8))]
        assert self.sentence(*nodes) == "18 fit: 9 on pve1, 1 on pve2 and 8 on pve3; CPU runs out first"
        assert self.sentence(node(threads=1)) == "1 fits: 1 on pve1; CPU runs out first"

    def test_many_nodes_make_no_endless_sentence(self) -> None:
        nodes = [node(f"pve{number}", threads=1) for number in range(1, 10)]
        assert self.sentence(*nodes) == (
            "9 fit: 1 on pve1, 1 on pve2, 1 on pve3, 1 on pve4, 1 on pve5 and 4 more; CPU runs out first"
        )

    def test_why_none_fits(self) -> None:
        full = node(threads=4)
        assert self.sentence(full, guests=[guest(100, cpu=4)]) == (
            "none fits: CPU is used up on pve1, where memory and disk are left"
        )
        assert self.sentence(full, one=tier(gpu={"count": 1})) == "none fits: pve1 lacks such GPUs"
        assert self.sentence(full, one=tier(cpu=5)) == "none fits: pve1 has too little CPU for one"
        assert self.sentence(full, one=tier(memory="257Gi")) == "none fits: pve1 has too little memory for one"
        assert self.sentence(node(status="offline")) == "none fits: pve1 is offline"
        assert self.sentence(node(arch="aarch64")) == "none fits: pve1 has another architecture"
        assert (
            self.sentence(full, spec={"nodes": {"include": ["x"]}}) == "none fits: no node of the cluster is selected"
        )

    def test_what_is_left_beside_what_is_used_up(self) -> None:
        """Sold out for one resource, plenty of others: that is what an owner can do something about."""
        nodes = [node("pve1", threads=8, memory="8Gi"), node("pve2", threads=8, memory="64Gi"), node("pve3", threads=8)]
        guests = [guest(100, "pve1", memory="8Gi"), guest(101, "pve2", cpu=8), guest(102, "pve3", cpu=8)]
        assert self.sentence(*nodes, guests=guests) == (
            "none fits: memory is used up on pve1, where CPU and disk are left; "
            "CPU is used up on pve2 and pve3, where memory and disk are left"
        )
        assert self.sentence(*nodes[:1], guests=guests[:1], storages=[storage("a", avail="0")]) == (
            "none fits: memory is used up on pve1, where CPU is left"
        )

    def test_nodes_that_have_none_while_others_have_some(self) -> None:
        nodes = [node("pve1", threads=2), node("pve2", threads=2), node("pve3", threads=2, status="offline")]
        assert self.sentence(*nodes, guests=[guest(100, "pve2", cpu=2)]) == (
            "2 fit: 2 on pve1; CPU runs out first; CPU is used up on pve2, where memory and disk are left; "
            "not counted: pve3 is offline"
        )

    def test_of_nodes_that_decide_alike_the_first_is_named(self) -> None:
        nodes = [node("pve1", threads=4), node("pve2", threads=4)]
        assert self.sentence(*nodes, spec={"allocation": {"failoverNodes": 1}}) == (
            "4 fit: 4 on pve1; the rest is kept in case pve1 goes down"
        )

    def test_for_whom_the_rest_is_kept(self) -> None:
        nodes = [node("pve1", threads=2), node("pve2", threads=6)]
        spec = {"allocation": {"failoverNodes": 1}}
        assert self.sentence(*nodes, spec=spec) == "2 fit: 2 on pve1; the rest is kept in case pve2 goes down"
        guests = [guest(100, "pve2", cpu=2)]
        assert self.sentence(*nodes, guests=guests, spec=spec) == (
            "none fits: all that is left is kept in case pve2 goes down"
        )
        assert (
            self.sentence(nodes[0], spec=spec)
            == "none fits: all that is left is kept for failover, which leaves no node"
        )

    def test_guest_that_finds_no_room_now_is_told_from_one_that_would_find_none(self) -> None:
        dead = node("pve2", status="offline")
        managed = guest(107, "pve2", cpu=4, hastate="started")
        assert self.sentence(node("pve1", threads=2), dead, guests=[managed]) == (
            "none fits: guest 107 of a node that is down finds no room on the others; not counted: pve2 is offline"
        )

    def test_which_nodes_were_not_counted(self) -> None:
        nodes = [node("pve1", threads=1), node("pve2", status="unknown", threads=None), node("pve3", threads=None)]
        assert self.sentence(*nodes) == (
            "1 fits: 1 on pve1; CPU runs out first; "
            "not counted: pve2 has not reported for a while and pve3 shows no totals"
        )

    def test_names_of_a_hostile_cluster_are_cut_and_cleaned(self) -> None:
        said = self.sentence(node("pve\n\x1b[31m" + "x" * 5000, threads=1))
        assert said is not None
        assert said.isprintable()
        assert len(said) < 300


def test_plan_of_a_host_nobody_could_observe_says_unknown_for_each_of_its_tiers() -> None:
    offerings = unobserved(host=host(tier("small"), tier("large")))
    assert [(one.name, one.statement.stock, one.statement.available) for one in offerings] == [
        ("fra1-small", UNKNOWN, None),
        ("fra1-large", UNKNOWN, None),
    ]
    assert {one.statement.message for one in offerings} == {NOT_OBSERVED}
    assert unobserved(host=host()) == ()


def test_spec_and_labels_follow_from_the_host_alone() -> None:
    """Whatever the cluster does, an Offering's spec stays; only its status moves."""
    terms = host(
        tier("small", displayName="Small", price={"currency": "EUR", "monthly": "5.00"}), location={"country": "DE"}
    )
    alone = unobserved(host=terms)[0]
    seen = offer(
        cluster(nodes=[node(status="offline")]),
        tier("small", displayName="Small", price={"currency": "EUR", "monthly": "5.00"}),
        location={"country": "DE"},
    )
    assert (seen.spec, seen.labels, seen.name) == (alone.spec, alone.labels, alone.name)
    assert seen.labels == {
        "proxmox-offerings.io/host": "fra1",
        "proxmox-offerings.io/tier": "small",
        "proxmox-offerings.io/product-type": "compute",
        "proxmox-offerings.io/country": "DE",
    }


def test_counts_of_offerings() -> None:
    seen = cluster(nodes=[node("pve1", threads=8, pci=None)])
    plan = planned(seen, tier("a"), tier("b", cpu=4), tier("c", cpu=9), tier("d", gpu={"count": 1}))
    counts = plan.observed.offerings
    assert counts is not None
    assert (counts.total, counts.in_stock, counts.low_stock, counts.out_of_stock, counts.unknown) == (4, 1, 1, 1, 1)


class TestHardware:
    def test_processors_of_nodes_that_can_carry_the_tier_full_or_not(self) -> None:
        xeon = "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"
        nodes = [
            node("pve1", threads=8, model=xeon),
            node("pve2", threads=64, model="AMD EPYC 7543 32-Core Processor"),
            node("pve3", threads=2, model="AMD Opteron"),
        ]
        said = offer(cluster(nodes=nodes, guests=[guest(100, "pve1", cpu=8)]), tier(cpu=4)).statement.processor
        assert said is not None
        assert said.models == ("AMD EPYC 7543 32-Core Processor", "Intel Xeon Gold 6338 CPU @ 2.00GHz")
        assert (said.brand, said.cores, said.threads, said.speed_mhz) == (None, 32, 64, 2000)

    def test_card_is_named_by_what_people_call_it(self) -> None:
        pci = [function("0000:01:00.0", group=1, name="GA100 [A100 PCIe 80GB]")]
        said = offer(cluster(nodes=[node(pci=pci)]), tier(gpu={"count": 1})).statement.gpu
        assert said is not None
        assert said.name == "A100 PCIe 80GB"
        assert said.memory == Quantity.parse("80Gi")

    @pytest.mark.parametrize(
        ("models", "memory"),
        [
            pytest.param(["10de:20b5", "10de:20b2"], "80Gi", id="two models with as much"),
            pytest.param(["10de:20b5", "10de:1eb8"], None, id="two models that differ"),
            pytest.param(["10de:20b5", "10de:ffff"], None, id="one that nobody knows"),
            pytest.param(["10de:ffff"], None, id="none known"),
            pytest.param(["10de:1e30"], None, id="one number for cards of two sizes"),
        ],
    )
    def test_memory_of_cards_is_told_only_where_it_is_sure_for_all(self, models: list[str], memory: str | None) -> None:
        pci = [
            function(f"0000:0{slot}:00.0", group=slot, vendor=model[:4], device=model[5:], name=None)
            for slot, model in enumerate(models, start=1)
        ]
        said = offer(cluster(nodes=[node(pci=pci)]), tier(gpu={"count": 1})).statement.gpu
        assert said is not None
        assert said.memory == (None if memory is None else Quantity.parse(memory))

    def test_node_with_cards_that_cannot_be_sold_describes_no_tier(self) -> None:
        seen = cluster(nodes=[node("pve1", model="AMD", pci=[function("0000:01:00.0", group=-1)])])
        said = offer(seen, tier(gpu={"count": 1})).statement
        assert (said.available, said.gpu, said.processor) == (0, None, None)

    def test_cards_in_use_still_describe_the_tier(self) -> None:
        seen = cluster(nodes=[node(pci=cards(1))], guests=[guest(100)], configs={100: config("01:00")})
        said = offer(seen, tier(gpu={"count": 1})).statement
        assert said.available == 0
        assert said.gpu is not None
        assert said.processor is not None

    def test_storages_are_those_that_the_tier_may_use(self) -> None:
        seen = cluster(
            storages=[storage("a", volume_group="a"), storage("b", "rbd"), storage("iso", "dir", content=["iso"])]
        )
        said = offer(seen).statement.storage
        assert said is not None
        assert (said.names, [one.value for one in said.classes]) == (("a", "b"), ["network", "nvme"])


class TestOperatingSystems:
    def test_what_nobody_can_read_keeps_its_own_name(self) -> None:
        assert system_name(_template(name="golden-image"), ()) == "golden-image"

    def test_first_rule_that_matches_names_it(self) -> None:
        rules = [
            OperatingSystemRule.parse({"match": {"vmid": 9001}, "name": "By number"}),
            OperatingSystemRule.parse({"match": {"tag": "Gold"}, "name": "By tag"}),
            OperatingSystemRule.parse({"match": {"name": "deb*"}, "name": "By name"}),
        ]
        assert system_name(_template(name="deb12", vmid=9001, tags=("gold",)), rules) == "By number"
        assert system_name(_template(name="deb12", tags=("gold",)), rules) == "By tag"
        assert system_name(_template(name="deb12"), rules) == "By name"

    def test_only_templates_of_the_tiers_kind_on_nodes_that_can_carry_it(self) -> None:
        seen = cluster(
            nodes=[node("pve1", threads=8), node("pve2", threads=1)],
            guests=[
                guest(9000, "pve1", name="debian-12", template=True),
                guest(9001, "pve2", name="debian-11", template=True),
                guest(9002, "pve1", name="alpine-3", template=True, kind="lxc"),
            ],
            configs={9000: config(), 9001: config(), 9002: config()},
        )
        said = offer(seen, tier(cpu=4)).statement.operating_systems
        assert [(one.name, one.template, one.nodes) for one in said] == [("Debian 12", 9000, ("pve1",))]

    def test_template_is_no_offer_where_the_tier_finds_no_storage(self) -> None:
        """Both nodes reach the shared template, but only pve1 has an SSD for the unit's disk."""
        seen = cluster(
            nodes=[node("pve1"), node("pve2")],
            guests=[guest(9000, "pve1", name="debian-12", template=True)],
            storages=[
                storage("ssd", volume_group="a", on=["pve1"]),
                storage("hdd", volume_group="b", on=["pve2"]),
                storage("nas", "nfs", server="nas", export="/x"),
            ],
            configs={9000: config(volumes={"nas:9000/base-9000-disk-0.qcow2": "8Gi"})},
        )
        rules = [{"match": "ssd", "class": "ssd"}, {"match": "hdd", "class": "hdd"}]
        said = offer(seen, tier(storageClass="ssd"), storageRules=rules).statement
        assert [one.nodes for one in said.operating_systems] == [("pve1",)]
        assert [one.nodes for one in offer(seen, storageRules=rules).statement.operating_systems] == [("pve1", "pve2")]

    def test_container_template_for_other_processors_is_not_offered(self) -> None:
        volumes = ("local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", "local:vztmpl/debian-12_arm64.tar.zst")
        holds = {"local": tuple(Volume(volid=volid, content="vztmpl") for volid in volumes)}
        seen = cluster(
            nodes=[node("pve1", volumes=holds), node("pve2", arch="aarch64", hvm=False, volumes=holds)],
            storages=[storage("local", "dir", path="/x", content=["rootdir", "vztmpl"])],
        )
        for architecture, at, volid in (("amd64", "pve1", volumes[0]), ("arm64", "pve2", volumes[1])):
            one = tier(virtualization="LXC", architecture=architecture)
            (said,) = offer(seen, one).statement.operating_systems
            assert (said.name, said.template, said.nodes) == ("Debian 12", volid, (at,))


def _template(**fields: Any) -> Template:
    return Template(
        **{"kind": "qemu", "name": "x", "vmid": 9000, "volid": None, "tags": (), "nodes": frozenset(), **fields}
    )


def test_status_of_the_host_repeats_what_was_seen() -> None:
    seen = cluster(
        nodes=[node("pve1", threads=8, memory="16Gi", pci=cards(2))],
        guests=[guest(100, cpu=2, memory="4Gi")],
        configs={100: config("01:00")},
    )
    observed = planned(seen, tier()).observed
    (one,) = observed.nodes
    assert one.cpu is not None
    assert one.memory_allocation is not None
    assert [str(one.cpu.capacity), str(one.cpu.committed), str(one.cpu.headroom)] == ["8", "2", "6"]
    told = one.memory_allocation
    assert [str(told.capacity), str(told.committed), str(told.headroom)] == ["16Gi", "4Gi", "12Gi"]
    assert observed.proxmox is not None
    assert (observed.proxmox.version, observed.proxmox.cluster_name) == ("9.1.1", "lab")


def test_counts_are_by_stock() -> None:
    counted = counts_of([Stock.IN_STOCK, Stock.IN_STOCK, Stock.LOW_STOCK, Stock.OUT_OF_STOCK, Stock.UNKNOWN])
    assert counted.to_wire() == {"total": 5, "inStock": 2, "lowStock": 1, "outOfStock": 1, "unknown": 1}
