"""Every row is taken by decent-cloud's importer, and as it is meant."""

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.exports import LeftOut, Options, render
from proxmox_offerings.exports.decent_cloud_csv import COLUMNS, FREE_COLUMNS, column_problem
from proxmox_offerings.resources import Offering
from support.controlplane import ROOT
from support.importer import AS_THEY_ARE, FLOATS, LISTS, TEXTS, WHOLES, Marketplace
from unit.exports.offerings import A100, GPU, NOON, offering


def imported(one: Offering, **options: Any) -> dict[str, Any]:
    """What becomes of it on the market."""
    market = Marketplace()
    rendered = render("csv", [one], now=NOON, options=Options(**options))
    assert market.upsert(rendered.body) == 1
    assert market.errors == []
    (found,) = market.offerings.values()
    return found


def cells(one: Offering, **options: Any) -> dict[str, str]:
    body = render("csv", [one], now=NOON, options=Options(**options)).body.decode()
    (row,) = csv.DictReader(io.StringIO(body, newline=""))
    return row


def test_every_field() -> None:
    assert imported(offering("fra1-gpu", spec=GPU, status=A100)) == {
        "offering_id": "sales.fra1-gpu",
        "offer_name": "Small",
        "description": "KVM virtual machine: 2 vCPUs (amd64), 4 GiB memory, 50 GiB disk, 4 GPUs",
        "product_page_url": None,
        "currency": "EUR",
        "monthly_price": 5.0,
        "setup_fee": 1.5,
        "visibility": "public",
        "product_type": "gpu",
        "virtualization_type": "KVM",
        "billing_interval": "monthly",
        "stock_status": "in_stock",
        "processor_brand": "AMD",
        "processor_amount": None,
        "processor_cores": 2,
        "processor_speed": "2.8 GHz",
        "processor_name": "AMD EPYC 7402P 24-Core Processor",
        "memory_error_correction": None,
        "memory_type": None,
        "memory_amount": "4 GB",
        "hdd_amount": None,
        "total_hdd_capacity": None,
        "ssd_amount": 1,
        "total_ssd_capacity": "50 GB",
        "unmetered_bandwidth": False,
        "uplink_speed": None,
        "traffic": None,
        "datacenter_country": "DE",
        "datacenter_city": "Frankfurt",
        "datacenter_latitude": 50.11,
        "datacenter_longitude": 8.68,
        "control_panel": None,
        "gpu_name": "A100 PCIe 80GB",
        "gpu_count": 4,
        "gpu_memory_gb": 320,
        "min_contract_hours": None,
        "max_contract_hours": None,
        "payment_methods": None,
        "features": None,
        "operating_systems": ["Debian 12", "Ubuntu 24.04"],
        "agent_pool_id": None,
        "offering_source": None,
        "external_checkout_url": None,
        "provisioner_type": None,
        "provisioner_config": None,
        "template_name": None,
        "post_provision_script": None,
        "included_units": None,
        "subscription_interval_days": None,
    }


def test_header_is_that_of_the_template() -> None:
    header = render("csv", [], now=NOON).body.decode()
    assert header == ",".join(COLUMNS) + "\n"
    assert len(COLUMNS) == 41
    known = {*TEXTS, *WHOLES, *FLOATS, *LISTS, *AS_THEY_ARE, "monthly_price", "setup_fee", "unmetered_bandwidth"}
    assert set(COLUMNS) <= known, "the importer would not look at the others"


def test_templates_are_told_where_they_are_asked_for() -> None:
    one = imported(offering(), template_columns=True)
    assert (one["template_name"], one["provisioner_type"]) == ("9000", "proxmox")
    assert one["provisioner_config"] == '{"template_vmid": 9000}'
    container = {"operatingSystems": [{"name": "Alpine", "template": "local:vztmpl/alpine.tar.xz", "nodes": []}]}
    one = imported(offering(status=container), template_columns=True)
    assert (one["template_name"], one["provisioner_config"]) == ("local:vztmpl/alpine.tar.xz", None)
    one = imported(offering(status={"operatingSystems": []}), template_columns=True)
    assert (one["operating_systems"], one["template_name"]) == (None, None)


@pytest.mark.parametrize(
    ("memory", "disk", "said"),
    [
        ("4Gi", "1Ti", ("4 GB", "1024 GB")),
        ("512Mi", "1536Mi", ("512 MB", "1536 MB")),
        ("1G", "100G", ("953 MB", "95367 MB")),
    ],
)
def test_sizes_are_never_more_than_there_is(memory: str, disk: str, said: tuple[str, str]) -> None:
    """ "N TB" would be 1000 or 1024 GB, depending on who reads it; there is none."""
    one = imported(offering(spec={"memory": memory, "disk": disk}))
    assert (one["memory_amount"], one["total_ssd_capacity"]) == said


@pytest.mark.parametrize(
    ("spec", "found", "kind"),
    [
        ({"storageClass": "ssd"}, [], "ssd"),
        ({"storageClass": "nvme"}, ["hdd"], "ssd"),
        ({"storageClass": "hdd"}, [], "hdd"),
        ({"storageClass": "network"}, [], "hdd"),
        ({}, ["nvme"], "ssd"),
        ({}, ["hdd", "ssd"], "hdd"),
        ({}, ["network"], "hdd"),
        ({}, ["unknown"], "hdd"),
        ({}, [], "hdd"),
    ],
)
def test_disk_is_called_ssd_only_if_it_is(spec: dict[str, Any], found: list[str], kind: str) -> None:
    one = imported(offering(spec=spec, status={"storage": {"classes": found, "names": []}}))
    other = {"ssd": "hdd", "hdd": "ssd"}[kind]
    assert (one[f"total_{kind}_capacity"], one[f"{kind}_amount"]) == ("50 GB", 1)
    assert (one[f"total_{other}_capacity"], one[f"{other}_amount"]) == (None, None)


def test_what_is_not_known_is_left_empty() -> None:
    bare = {"processor": None, "storage": None, "operatingSystems": [], "gpu": None}
    one = imported(offering(spec=GPU, status=bare))
    assert (one["gpu_count"], one["gpu_name"], one["gpu_memory_gb"]) == (4, None, None)
    assert (one["processor_brand"], one["processor_name"], one["processor_speed"]) == (None, None, None)
    parts = {"gpu": {"name": "GRID T4-1B", "memory": "512Mi"}}
    assert imported(offering(spec=GPU | {"gpu": {"count": 1, "models": ["*"]}}, status=parts))["gpu_memory_gb"] is None


def test_containers_and_dedicated_units_are_called_so() -> None:
    one = imported(offering(spec={"virtualization": "LXC", "dedicatedCPU": True, "cpu": 1, "storageClass": "nvme"}))
    assert one["virtualization_type"] == "LXC"
    assert one["features"] == ["Dedicated vCPU"]
    assert one["description"] == "LXC container: 1 dedicated vCPU (amd64), 4 GiB memory, 50 GiB nvme disk"


def test_systems_with_commas_stay_whole() -> None:
    systems = [{"name": "Windows Server, 2022", "template": 1, "nodes": []}]
    assert imported(offering(status={"operatingSystems": systems}))["operating_systems"] == ["Windows Server  2022"]


def test_ids_differ_across_hosts_and_namespaces_and_stay() -> None:
    ones = [offering(name, namespace=space) for space in ("a", "a-b") for name in ("c-d", "b-c-d")]
    market = Marketplace()
    assert market.upsert(render("csv", ones, now=NOON).body) == 4
    assert set(market.offerings) == {"a.c-d", "a.b-c-d", "a-b.c-d", "a-b.b-c-d"}
    market.upsert(render("csv", ones[::-1], now=NOON).body)
    assert len(market.offerings) == 4
    assert imported(offering(namespace=None))["offering_id"] == "default.fra1-small"


def test_without_price_or_country_there_is_no_row_but_a_reason() -> None:
    ones = [
        offering("fra1-a", spec={"price": None}),
        offering("fra1-b", spec={"location": {"city": "Frankfurt"}}),
        offering(),
    ]
    for form in ("csv", "decent-cloud-json"):
        rendered = render(form, ones, now=NOON)
        assert rendered.offerings == 1
        assert rendered.left_out == (
            LeftOut(name="sales.fra1-a", reason="it has no price: give its tier one, or the host spec.pricing"),
            LeftOut(name="sales.fra1-b", reason="it has no country: give the host spec.location.country"),
        )


def test_documentation_names_every_column_that_is_filled_and_every_one_that_can_be_set() -> None:
    page = (ROOT / "docs/how-to/export.md").read_text(encoding="utf-8")
    table = page.split("### Which column comes from where")[1].replace("`, `_", "`, `datacenter_")
    ones = (
        offering("fra1-gpu", spec=GPU | {"dedicatedCPU": True}, status=A100),
        offering(spec={"storageClass": "hdd"}),
    )
    filled = {name for one in ones for name, cell in cells(one, template_columns=True).items() if cell}
    assert len(filled) > 30
    assert [name for name in sorted(filled) if f"`{name}`" not in table] == []
    listed = page.split("--set COLUMN=VALUE")[1].split("Whole numbers")[0]
    assert sorted(re.findall(r"`([a-z_]+)`", listed)) == sorted(FREE_COLUMNS)


class TestWhatIsGone:
    def exported(self, *ones: Offering, previous: bytes = b"") -> bytes:
        return render("csv", ones, now=NOON, options=Options(previous=previous)).body

    def test_it_is_withdrawn_from_the_market_and_comes_back(self) -> None:
        small, large = offering("fra1-small"), offering("fra1-large")
        market = Marketplace()

        def stock(*ones: Offering, previous: bytes) -> tuple[bytes, dict[str, str]]:
            body = self.exported(*ones, previous=previous)
            market.upsert(body)
            return body, {id_.partition("-")[2]: one["stock_status"] for id_, one in market.offerings.items()}

        body, sold = stock(small, large, previous=b"")
        assert sold == {"small": "in_stock", "large": "in_stock"}
        body, sold = stock(small, previous=body)
        assert sold == {"small": "in_stock", "large": "out_of_stock"}
        again, sold = stock(small, previous=body)
        assert again == body
        body, sold = stock(small, large, previous=again)
        assert sold == {"small": "in_stock", "large": "in_stock"}
        assert body == self.exported(small, large)

    def test_what_lost_its_price_is_withdrawn_too(self) -> None:
        body = self.exported(offering(spec={"price": None}), previous=self.exported(offering()))
        assert b"out_of_stock" in body

    @pytest.mark.parametrize("previous", [b"\xff", b"a,b\n1,2\n", b'offering_id\n"x', b"offering_id\nx\n"])
    def test_another_file_is_none_of_ours(self, previous: bytes) -> None:
        with pytest.raises(ValueError, match="no CSV that was exported before"):
            self.exported(previous=previous)


class TestSpreadsheets:
    @pytest.mark.parametrize(
        ("written", "shown"),
        [
            ("=1+1", "1+1"),
            ('=HYPERLINK("http://evil")', 'HYPERLINK("http://evil")'),
            ("+49", "49"),
            ("@SUM(A1)", "SUM(A1)"),
            ("\t=1", "1"),
            (" - = x", "x"),
            ("＝1", "1"),
            ("Debian;=cmd|' /C calc'!A0", "Debian; cmd|' /C calc'!A0"),
            ("a\r\n=b", "a  =b"),
            ("24-Core @ 2.8GHz", "24-Core @ 2.8GHz"),
            ("=", "small"),
        ],
    )
    def test_a_name_is_never_a_formula(self, written: str, shown: str) -> None:
        assert imported(offering(spec={"displayName": written}))["offer_name"] == shown

    @given(hostile=st.text(st.sampled_from("=+-@;,|\t\r\n\"' aＡ＝\0"), max_size=12))
    def test_whatever_is_in_the_texts_the_row_is_taken_and_no_cell_is_a_formula(self, hostile: str) -> None:
        one = offering(
            spec={"displayName": hostile, "location": {"country": "DE", "city": hostile}},
            status={
                "processor": {"brand": hostile, "models": [hostile, "x"]},
                "operatingSystems": [{"name": hostile, "template": hostile, "nodes": []}],
            },
        )
        assert imported(one, template_columns=True)["offering_id"] == "sales.fra1-small"
        for cell in cells(one, template_columns=True).values():
            for split in (cell, *cell.split(";"), *cell.split(",")):
                assert not split.strip().startswith(("=", "+", "-", "@", "＝"))

    def test_southern_coordinates_stay_numbers(self) -> None:
        place = {"country": "NO", "city": "Troll", "latitude": "-72.01", "longitude": "-2.53"}
        one = imported(offering(spec={"location": place}))
        assert (one["datacenter_latitude"], one["datacenter_longitude"]) == (-72.01, -2.53)


class TestWhatTheSellerAdds:
    def test_it_is_in_every_row(self) -> None:
        added = {"agent_pool_id": "eu", "traffic": "1000", "visibility": "private", "unmetered_bandwidth": "true"}
        one = imported(offering(), columns=added)
        assert (one["agent_pool_id"], one["traffic"], one["visibility"], one["unmetered_bandwidth"]) == (
            "eu",
            1000,
            "private",
            True,
        )

    @pytest.mark.parametrize(
        ("name", "value", "problem"),
        [
            ("traffic", "1000", None),
            ("traffic", "1 TB", "whole number"),
            ("traffic", "-1", "whole number"),
            ("unmetered_bandwidth", "maybe", "true or false"),
            ("visibility", "hidden", "one of private, public, shared"),
            ("product_page_url", "https://shop.example.net", None),
            ("stock_status", "in_stock", "none that can be set"),
            ("monthly_price", "1", "none that can be set"),
        ],
    )
    def test_what_follows_from_offerings_cannot_be_set(self, name: str, value: str, problem: str | None) -> None:
        found = column_problem(name, value)
        assert (found is None) is (problem is None)
        assert (problem or "") in (found or "")

    def test_only_columns_that_there_are_can_be_set(self) -> None:
        assert set(COLUMNS) > FREE_COLUMNS
