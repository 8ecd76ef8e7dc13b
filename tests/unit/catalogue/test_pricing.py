"""Prices by rule: reckoned by hand, exact, never below the sum, and none at all rather than a wrong one."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.catalogue.plan import unobserved
from proxmox_offerings.catalogue.pricing import Reckoning, reckon, rounded_up, written
from proxmox_offerings.cli.prices import in_words
from proxmox_offerings.resources import Pricing, Rounding, Tier
from support.cluster import cards, cluster, explained, host, node, offer, planned, tier

GIB = 2**30
RULES: dict[str, Any] = {
    "currency": "EUR",
    "base": "1.00",
    "perVCPU": {"shared": "1.50", "dedicated": "6.00"},
    "perGiBMemory": "0.80",
    "perGiBDisk": [{"class": "nvme", "price": "0.10"}, {"price": "0.05"}],
    "perGPU": [
        {"models": ["*A100 80GB*", "10de:20b5"], "price": "500"},
        {"models": ["*A100*"], "price": "400"},
        {"models": ["*"], "profile": "GRID T4-*", "price": "30"},
        {"models": ["*T4*"], "price": "90"},
    ],
}
SMALL = tier("small", cpu=2, memory="4Gi", disk="50Gi")


def reckoned(one: dict[str, Any], **rules: Any) -> Reckoning:
    return reckon(Tier.parse(one, strict=True), Pricing.parse(RULES | rules, strict=True))


def monthly(one: dict[str, Any], **rules: Any) -> str | None:
    price = reckoned(one, **rules).price
    return price.monthly if price else None


def lacking(one: dict[str, Any], **rules: Any) -> tuple[str, ...]:
    made = reckoned(one, **rules)
    assert made.price is None
    return made.lacking


class TestByHand:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            # 2 x 1.50 + 4 x 0.80 + 50 x 0.05 + 1.00
            ({}, "9.70"),
            ({"storageClass": "nvme"}, "12.20"),
            ({"storageClass": "ssd"}, "9.70"),
            ({"dedicatedCPU": True}, "18.70"),
            ({"memory": "512Mi"}, "6.90"),
            # 1 GB is 0.931322574615478515625 GiB: 0.745058..., and the cent above.
            ({"memory": "1G"}, "7.25"),
            ({"gpu": {"count": 2, "models": ["*A100 80GB*"]}}, "1009.70"),
            ({"gpu": {"models": ["*T4*"]}}, "99.70"),
            ({"gpu": {"models": ["*T4*"], "profile": "GRID T4-2Q"}}, "39.70"),
        ],
    )
    def test_sum(self, change: dict[str, Any], expected: str) -> None:
        assert monthly(SMALL | change) == expected

    @pytest.mark.parametrize(
        ("margin", "rounding", "expected"),
        [
            (20, {}, "11.64"),
            (20, {"step": "1", "ending": "0.99"}, "11.99"),
            (0, {"step": "0.05"}, "9.70"),
            (7, {"step": "0.05"}, "10.40"),
            (7, {"step": "0.0001"}, "10.379"),
            (7, {}, "10.38"),
            (0, {"step": "10", "ending": "9.90"}, "9.90"),
            (10, {"step": "10", "ending": "9.90"}, "19.90"),
            (0, {"step": "0.0007"}, "9.7006"),
            (3, {"step": "1"}, "10.00"),
        ],
    )
    def test_margin_first_then_up(self, margin: int, rounding: dict[str, str], expected: str) -> None:
        assert monthly(SMALL, marginPercent=margin, rounding=rounding) == expected

    def test_what_meets_the_ending_exactly_stays(self) -> None:
        assert monthly(SMALL, base="0.29", rounding={"step": "1", "ending": "0.99"}) == "8.99"
        assert monthly(SMALL, base="0.290001", rounding={"step": "1", "ending": "0.99"}) == "9.99"

    def test_free_is_written_as_such(self) -> None:
        free = {"perVCPU": {"shared": "0"}, "perGiBMemory": "0", "perGiBDisk": [{"price": "0.00"}], "base": "0"}
        assert monthly(SMALL, **free) == "0.00"

    def test_setup_has_no_margin(self) -> None:
        price = reckoned(SMALL, setup="10.00", marginPercent=50).price
        assert price is not None
        assert (price.currency, price.setup) == ("EUR", "10.00")


class TestWhoseItIs:
    def test_own_price_wins_with_its_currency(self) -> None:
        own = {"currency": "USD", "monthly": "5.00", "setup": "0.00"}
        made = reckoned(SMALL | {"price": own, "gpu": {"models": ["*H100*"]}})
        assert made.price is not None
        assert made.price.to_wire() == own
        assert (made.parts, made.lacking) == ((), ())

    def test_without_rules_there_is_none_and_nothing_is_lacking(self) -> None:
        assert reckon(Tier.parse(SMALL), None) == Reckoning()


class TestNoneRatherThanAWrongOne:
    @pytest.mark.parametrize(
        ("change", "rules", "said"),
        [
            ({}, {"perVCPU": {"dedicated": "6"}}, "spec.pricing.perVCPU.shared is missing"),
            ({"dedicatedCPU": True}, {"perVCPU": {"shared": "6"}}, "spec.pricing.perVCPU.dedicated is missing"),
            (
                {},
                {"perGiBDisk": [{"class": "ssd", "price": "1"}]},
                "spec.pricing.perGiBDisk has no entry without class, which a tier without storageClass needs",
            ),
            (
                {"storageClass": "hdd"},
                {"perGiBDisk": [{"class": "ssd", "price": "1"}]},
                "spec.pricing.perGiBDisk has no entry for class hdd, nor one without class",
            ),
            ({"gpu": {"models": ["*H100*"]}}, {}, "spec.pricing.perGPU has no entry for all cards of *H100*"),
            ({"gpu": {}}, {}, "spec.pricing.perGPU has no entry for all cards of *"),
            (
                {"gpu": {"models": ["*T4*"], "profile": "GRID V100-*"}},
                {},
                "spec.pricing.perGPU has no entry for all GRID V100-* on cards of *T4*",
            ),
            # An 80 GB card would go for the price of the others.
            ({"gpu": {"models": ["*A100*"]}}, {}, "spec.pricing.perGPU has different prices for cards of *A100*"),
            (
                {"gpu": {"models": ["*A100 80GB*", "*T4*"]}},
                {},
                "spec.pricing.perGPU has different prices for *A100 80GB*, *T4*",
            ),
            ({}, {"base": "999999999999"}, "it would be 1000000000000 EUR a month or more"),
        ],
    )
    def test_and_why(self, change: dict[str, Any], rules: dict[str, Any], said: str) -> None:
        assert lacking(SMALL | change, **rules) == (said,)

    def test_all_that_is_missing_is_told_at_once(self) -> None:
        said = lacking(SMALL, perVCPU={}, perGiBMemory=None)
        assert said == ("spec.pricing.perVCPU.shared is missing", "spec.pricing.perGiBMemory is missing")

    def test_entry_for_whole_cards_is_none_for_parts_of_them(self) -> None:
        rules = {"perGPU": [{"price": "400"}]}
        assert monthly(SMALL | {"gpu": {}}, **rules) == "409.70"
        assert lacking(SMALL | {"gpu": {"profile": "GRID*"}}, **rules)

    def test_first_entry_that_takes_all_holds_whatever_follows(self) -> None:
        rules = {"perGPU": [{"models": ["*a100*"], "price": "1"}, {"models": ["*A100 80GB*"], "price": "2"}]}
        assert monthly(SMALL | {"gpu": {"models": ["*A100*"]}}, **rules) == "10.70"

    def test_equal_prices_are_no_contradiction(self) -> None:
        rules = {"perGPU": [{"models": ["*A100 80GB*"], "price": "2"}, {"models": ["*A100*"], "price": "2.0"}]}
        assert monthly(SMALL | {"gpu": {"models": ["*A100*", "*A100 80GB*"]}}, **rules) == "11.70"


class TestInThePlan:
    seen = cluster(nodes=[node("pve1", memory="64Gi", threads=16, pci=cards(2))])

    def test_offering_shows_it_and_the_host_says_what_has_none(self) -> None:
        plan = planned(self.seen, SMALL, tier("gpu", gpu={"models": ["*H100*"]}), pricing=RULES)
        assert [one.spec.price.monthly if one.spec.price else None for one in plan.offerings] == ["9.70", None]
        assert [one.to_wire() for one in plan.observed.unpriced] == [
            {"tier": "gpu", "reason": "spec.pricing.perGPU has no entry for all cards of *H100*"}
        ]

    def test_it_is_the_same_before_anything_was_observed(self) -> None:
        """spec follows from the ProxmoxHost alone."""
        named = tier("gpu", gpu={"models": ["10de:20b5"]})
        for one in (SMALL, named):
            (before,) = unobserved(host=host(one, pricing=RULES))
            assert before.spec == offer(self.seen, one, pricing=RULES).spec
        assert unobserved(host=host(tier(gpu={"models": ["10de:20b2"]}), pricing=RULES))[0].spec.price is None

    def test_cards_of_derived_tiers_are_priced_by_what_they_are_called(self) -> None:
        gpu = next(one for one in planned(self.seen, pricing=RULES).offerings if one.spec.gpu)
        assert gpu.spec.gpu is not None
        assert gpu.spec.gpu.models == ("10de:20b5",)
        by_name = RULES | {"perGPU": [{"models": ["*A100*"], "price": "400"}]}
        named = next(one for one in planned(self.seen, pricing=by_name).offerings if one.spec.gpu)
        assert gpu.spec.price is not None
        assert named.spec.price is not None
        assert Decimal(gpu.spec.price.monthly) - Decimal(named.spec.price.monthly) == 100
        other = RULES | {"perGPU": [{"models": ["*H100*"], "price": "400"}]}
        plan = planned(self.seen, pricing=other)
        assert {one.tier for one in plan.offerings if one.spec.price is None} == {
            one.tier for one in plan.observed.unpriced
        }
        assert all("gpu" in one.tier for one in plan.observed.unpriced)
        assert plan.observed.unpriced

    def test_price_of_a_derived_tier_stays_while_nobody_shows_its_cards(self) -> None:
        """A marketplace must learn that it is sold out; a row without a price it would not take, and go on selling the old one."""
        rules = RULES | {"perGPU": [{"models": ["*A100*"], "price": "400"}]}
        first = {one.tier: one.spec for one in planned(self.seen, pricing=rules).offerings}
        gone = cluster(nodes=[node("pve1", memory="64Gi", threads=16)])
        dearer = rules | {"base": "2.00"}
        later = {
            one.tier: one for one in planned(gone, existing=first.values(), pricing=dearer).offerings if one.spec.gpu
        }
        assert later
        for name, one in later.items():
            assert one.spec.price == first[name].price
            assert one.statement.available == 0
        back = {one.tier: one for one in planned(self.seen, existing=first.values(), pricing=dearer).offerings}
        for name, was in first.items():
            now = back[name].spec.price
            assert was.price is not None
            assert now is not None
            assert Decimal(now.monthly) - Decimal(was.price.monthly) == 1
        without = planned(gone, existing=first.values()).offerings
        assert [one.spec.price for one in without if one.spec.gpu] == [None] * len(later)


class TestExplained:
    def price(self, one: dict[str, Any], **rules: Any) -> str | None:
        (told,) = explained(cluster(nodes=[node()]), one, pricing=RULES | rules).tiers
        return in_words(told.reckoning)

    def test_line_by_line(self) -> None:
        assert self.price(SMALL, marginPercent=20, rounding={"step": "1", "ending": "0.99"}, setup="5.00") == (
            "2 vCPU x 1.50 + 4 GiB of memory x 0.80 + 50 GiB of disk x 0.05 + base 1.00 = 9.70; + 20 % = 11.64; "
            "rounded up to x.99: 11.99 EUR a month, 5.00 once"
        )
        assert self.price(SMALL | {"dedicatedCPU": True, "storageClass": "nvme", "memory": "512Mi"}, base="0") == (
            "2 dedicated vCPU x 6.00 + 0.5 GiB of memory x 0.80 + 50 GiB of nvme disk x 0.10 = 17.40; "
            "rounded up to 0.01: 17.40 EUR a month"
        )
        assert self.price(tier(gpu={"models": ["*T4*"], "count": 2}), rounding={"step": "10", "ending": "9.90"}) == (
            "1 vCPU x 1.50 + 1 GiB of memory x 0.80 + 1 GiB of disk x 0.05 + 2 GPU x 90.00 + base 1.00 = 183.35; "
            "rounded up to 9.90 above a multiple of 10.00: 189.90 EUR a month"
        )

    def test_what_is_not_exact_says_so(self) -> None:
        assert "~0.931323 GiB of memory x 0.80" in str(self.price(SMALL | {"memory": "1G"}))

    def test_own_and_none(self) -> None:
        assert (
            self.price(SMALL | {"price": {"currency": "EUR", "monthly": "5.00"}}) == "5.00 EUR a month, the tier's own"
        )
        assert self.price(tier(gpu={})) == "none: spec.pricing.perGPU has no entry for all cards of *"
        (told,) = explained(cluster(nodes=[node()]), SMALL).tiers
        assert in_words(told.reckoning) is None


MONEY = st.integers(0, 10**9).map(lambda units: f"{units // 10**4}.{units % 10**4:04}")
STEPS = st.integers(1, 10**6)


@st.composite
def roundings(draw: st.DrawFn) -> Rounding:
    step = draw(STEPS)
    ending = draw(st.integers(0, step - 1))
    return Rounding(step=written(Fraction(step, 10**4)), ending=written(Fraction(ending, 10**4)))


class TestAlways:
    @given(
        sizes=st.tuples(st.integers(1, 8192), st.integers(1, 2**50), st.integers(1, 2**50)),
        more=st.tuples(st.integers(0, 64), st.integers(0, 2**40), st.integers(0, 2**40)),
        each=st.tuples(MONEY, MONEY, MONEY, MONEY),
        margin=st.integers(0, 10_000),
        rounding=roundings(),
    )
    def test_never_below_the_sum_by_less_than_a_step_and_more_for_more(
        self,
        sizes: tuple[int, int, int],
        more: tuple[int, int, int],
        each: tuple[str, str, str, str],
        margin: int,
        rounding: Rounding,
    ) -> None:
        cpu, memory, disk, base = each
        pricing = Pricing.parse(
            {
                "currency": "EUR",
                "base": base,
                "perVCPU": {"shared": cpu},
                "perGiBMemory": memory,
                "perGiBDisk": [{"price": disk}],
                "marginPercent": margin,
                "rounding": rounding.to_wire(),
            }
        )

        def cost(vcpus: int, memory_bytes: int, disk_bytes: int) -> Fraction | None:
            one = tier(cpu=min(vcpus, 8192), memory=memory_bytes, disk=disk_bytes)
            price = reckon(Tier.parse(one), pricing).price
            return Fraction(price.monthly) if price else None

        exact = (
            sizes[0] * Fraction(cpu)
            + Fraction(sizes[1], GIB) * Fraction(memory)
            + Fraction(sizes[2], GIB) * Fraction(disk)
            + Fraction(base)
        ) * Fraction(100 + margin, 100)
        price = cost(*sizes)
        larger = cost(*(size + extra for size, extra in zip(sizes, more, strict=True)))
        if price is None:
            assert exact > 10**12 - Fraction(rounding.step)
            assert larger is None
            return
        assert exact <= price < exact + Fraction(rounding.step) or price == Fraction(rounding.ending) >= exact
        assert (price - Fraction(rounding.ending)) % Fraction(rounding.step) == 0
        assert larger is None or larger >= price

    @given(amount=st.fractions(min_value=0, max_value=10**9), rounding=roundings())
    def test_rounding_is_the_least_that_is_allowed(self, amount: Fraction, rounding: Rounding) -> None:
        up = rounded_up(amount, rounding)
        below = up - Fraction(rounding.step)
        assert up >= amount
        assert below < amount or below < 0
        assert rounded_up(up, rounding) == up
        assert Fraction(written(up)) == up
