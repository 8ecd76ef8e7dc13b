"""The two catalogues in JSON: ours keeps to its published schema, decent-cloud's to its specification, and numbers are what was written."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from proxmox_offerings.exports import Options, Provider, render
from proxmox_offerings.exports.schema import main
from unit.exports.offerings import A100, GPU, NOON, offering

PUBLISHED = Path(__file__).resolve().parents[3] / "docs/reference/catalogue.schema.json"
SCHEMA = json.loads(PUBLISHED.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
EVERYTHING = [
    offering("fra1-gpu", spec=GPU | {"storageClass": "ssd"}, status=A100),
    offering("fra1-part", spec=GPU | {"gpu": {"count": 1, "models": ["*"], "profile": "GRID*"}}),
    offering("fra1-bare", spec={"location": None, "price": None}, status=False),
    offering("fra1-out", status={"stock": "OutOfStock", "available": 0}),
    offering("fra1-unknown", status={"stock": "Unknown", "available": None}),
    offering("fra1-other", status={"observedGeneration": 1}),
]


def catalogue(*offerings: Any, seconds: int = 0) -> dict[str, Any]:
    rendered = render("json", offerings, now=NOON + timedelta(seconds=seconds))
    return json.loads(rendered.body)


class TestOurs:
    def test_schema_is_one_and_in_step_with_the_models(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)
        main([str(PUBLISHED), "--check"])

    def test_schema_out_of_step_is_told(self, tmp_path: Path) -> None:
        stale = tmp_path / "schema.json"
        stale.write_text("{}")
        with pytest.raises(SystemExit, match="make crds"):
            main([str(stale), "--check"])
        main([str(stale)])
        assert stale.read_text(encoding="utf-8") == PUBLISHED.read_text(encoding="utf-8")

    @pytest.mark.parametrize("seconds", [0, 600])
    def test_everything_keeps_to_it(self, seconds: int) -> None:
        VALIDATOR.validate(catalogue(*EVERYTHING, seconds=seconds))
        VALIDATOR.validate(catalogue(seconds=seconds))

    @pytest.mark.parametrize(
        ("field", "value"),
        [("forSale", "yes"), ("memoryBytes", "4Gi"), ("stock", "in_stock"), ("notForSale", "Bored"), ("cpu", 1.5)],
    )
    def test_it_refuses_what_is_none(self, field: str, value: Any) -> None:
        made = catalogue(*EVERYTHING)
        made["offerings"][0][field] = value
        assert not VALIDATOR.is_valid(made)

    def test_every_field_is_described(self) -> None:
        for name, part in {**SCHEMA["$defs"], "": SCHEMA}.items():
            assert part.get("description"), name
            for field, schema in part.get("properties", {}).items():
                described = (
                    schema.get("description") or SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]["description"]
                )
                assert len(described) >= len("Its name."), (name, field)

    def test_example_of_the_documentation_is_one(self) -> None:
        page = PUBLISHED.with_name("catalogue.md").read_text(encoding="utf-8")
        VALIDATOR.validate(json.loads(page.split("```json")[1].split("```")[0]))
        assert all(f"`{reason}`" in page for reason in SCHEMA["$defs"]["NotForSale"]["enum"])

    def test_what_it_says(self) -> None:
        made = catalogue(*EVERYTHING)
        by_name = {one["name"]: one for one in made["offerings"]}
        assert list(by_name) == sorted(by_name)
        assert made["validUntil"] == "2026-11-24T12:10:00Z"
        assert by_name["fra1-gpu"] == {
            "id": "sales.fra1-gpu",
            "namespace": "sales",
            "name": "fra1-gpu",
            "host": "fra1",
            "tier": "gpu",
            "displayName": "Small",
            "productType": "gpu",
            "virtualization": "KVM",
            "architecture": "amd64",
            "cpu": 2,
            "dedicatedCPU": False,
            "cpuAllocationPercent": 400,
            "memoryBytes": 4 * 2**30,
            "diskBytes": 50 * 2**30,
            "storageClass": "ssd",
            "storageClasses": ["nvme", "ssd"],
            "gpu": {"count": 4, "models": ["*A100*"], "name": "A100 PCIe 80GB", "memoryBytes": 80 * 2**30},
            "processor": {"brand": "AMD", "models": ["AMD EPYC 7402P 24-Core Processor"], "speedMHz": 2800},
            "operatingSystems": [{"name": "Debian 12", "template": 9000}, {"name": "Ubuntu 24.04", "template": 9001}],
            "location": {"country": "DE", "city": "Frankfurt", "latitude": "+50.11", "longitude": "8.68"},
            "price": {"currency": "EUR", "monthly": "5.00", "setup": "1.50"},
            "forSale": True,
            "stock": "InStock",
            "available": 17,
            "observedAt": "2026-11-24T12:00:00Z",
            "validUntil": "2026-11-24T12:10:00Z",
        }
        assert {name: (one["stock"], one.get("notForSale"), one.get("available")) for name, one in by_name.items()} == {
            "fra1-bare": ("Unknown", "NotObserved", None),
            "fra1-gpu": ("InStock", None, 17),
            "fra1-part": ("InStock", None, 17),
            "fra1-out": ("OutOfStock", "SoldOut", 0),
            "fra1-unknown": ("Unknown", "Unknown", None),
            "fra1-other": ("Unknown", "TermsChanged", None),
        }

    def test_after_its_end_a_statement_has_no_number(self) -> None:
        (one,) = catalogue(offering(), seconds=600)["offerings"]
        assert (one["forSale"], one["notForSale"], one["stock"]) == (False, "Expired", "Unknown")
        assert "available" not in one
        assert "validUntil" not in catalogue(offering(), seconds=600)


class TestDecentClouds:
    def test_what_it_says(self) -> None:
        provider = Provider(name="Example", website="https://example.net", support_email="help@example.net")
        one = offering(spec={"memory": "1536Mi", "price": {"currency": "EUR", "monthly": "0005.10"}})
        options = Options(provider=provider, columns={"product_page_url": "https://example.net/small"})
        made = json.loads(render("decent-cloud-json", [one], now=NOON, options=options).body)
        assert made == {
            "$schema": "https://decent-cloud.org/schemas/offerings/v1.json",
            "version": "1.0",
            "provider": {"name": "Example", "website": "https://example.net", "support_email": "help@example.net"},
            "offerings": [
                {
                    "id": "sales.fra1-small",
                    "name": "Small",
                    "product_type": "compute",
                    "monthly_price": 5.1,
                    "currency": "EUR",
                    "datacenter": {"country": "DE", "city": "Frankfurt", "latitude": 50.11, "longitude": 8.68},
                    "specs": {"cpu_cores": 2, "memory_gb": 1.5, "storage_gb": 50, "storage_type": "ssd"},
                    "stock_status": "in_stock",
                    "product_url": "https://example.net/small",
                }
            ],
            "updated_at": "2026-11-24T12:00:00Z",
        }

    def test_numbers_are_exact(self) -> None:
        """As floats these would be others."""
        dear = offering(spec={"price": {"currency": "VND", "monthly": "999999999999.9999"}, "memory": "1G"})
        body = render("decent-cloud-json", [dear], now=NOON).body
        (one,) = json.loads(body, parse_float=Decimal)["offerings"]
        assert one["monthly_price"] == Decimal("999999999999.9999")
        assert one["specs"]["memory_gb"] == Decimal("0.931")

    def test_texts_that_look_like_our_numbers_stay_texts(self) -> None:
        body = render("decent-cloud-json", [offering(spec={"displayName": "exactly:1"})], now=NOON).body
        assert json.loads(body)["offerings"][0]["name"] == "exactly:1"

    def test_nothing_to_list_is_a_catalogue_too(self) -> None:
        made = json.loads(render("decent-cloud-json", [], now=NOON).body)
        assert (made["offerings"], made["provider"], "updated_at" in made) == ([], {}, False)
