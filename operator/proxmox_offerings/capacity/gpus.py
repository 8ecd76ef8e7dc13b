"""Which cards, whole or by profile, a tier takes, and how many units a node has them for. Rules: capacity.md 5.

What is free goes by key: whole cards by their model ("10de:1eb8"), mediated devices by model and type ("10de:1eb8/nvidia-230").
"""

from collections import Counter
from collections.abc import Collection, Mapping

from proxmox_offerings.inventory.snapshot import Card, Node, Profile
from proxmox_offerings.resources import Tier
from proxmox_offerings.resources.globs import glob_matches


def card_matches(tier: Tier, card: Card) -> bool:
    """Whether the tier takes this card whole: no `models` take any; globs match the device name or "vendor:device", whatever the case."""
    return tier.gpu is not None and tier.gpu.profile is None and _model_matches(tier, card.model, card.name)


def profile_matches(tier: Tier, profile: Profile) -> bool:
    """Whether the tier takes instances of this profile: the glob matches the type or its name, on cards that `models` match."""
    return (
        tier.gpu is not None
        and tier.gpu.profile is not None
        and _model_matches(tier, profile.model, profile.card)
        and any(
            glob_matches(tier.gpu.profile, name, ignore_case=True)
            for name in (profile.type, profile.name)
            if name is not None
        )
    )


def free_devices(node: Node) -> dict[str, int]:
    """What is surely free on the node, by key."""
    free: Counter[str] = Counter()
    if node.cards is not None and node.cards_blind is None:
        free.update(card.model for card in node.cards if card.unsellable is None and not card.taken)
    if node.profiles_blind is None:
        free.update({profile.key: profile.free for profile in node.profiles})
    return dict(free)


def devices_if_empty(node: Node) -> dict[str, int]:
    """What would be free if no guest had anything, by key."""
    total = Counter(card.model for card in node.cards or () if card.unsellable is None)
    total.update({profile.key: profile.total for profile in node.profiles})
    return dict(total)


def keys_for(tier: Tier, node: Node) -> frozenset[str]:
    """What the tier takes of what the node has, sold or not, by key."""
    whole = {card.model for card in node.cards or () if card.unsellable is None and card_matches(tier, card)}
    return frozenset(whole | {profile.key for profile in node.profiles if profile_matches(tier, profile)})


def units_of(tier: Tier, node: Node, free: Mapping[str, int]) -> int:
    """For how many units of a tier with GPUs the node has what they take, all devices of one unit being of one kind.

    The profiles of one model come out of the same cards: where several match, those count of which most units can be made.
    """
    if tier.gpu is None:
        raise ValueError("the tier takes no GPU")
    best: dict[str, int] = {}
    for key in keys_for(tier, node):
        model = key.partition("/")[0]
        best[model] = max(best.get(model, 0), free.get(key, 0) // tier.gpu.count)
    return sum(best.values())


def of_one_kind(free: Mapping[str, int], keys: Collection[str]) -> dict[str, int]:
    """What of `keys` can surely be given at the same time: of each model only the key of which most is left, because all of its keys
    come out of the same cards.
    """
    best: dict[str, str] = {}
    for key in sorted(keys):
        model = key.partition("/")[0]
        if model not in best or free.get(key, 0) > free.get(best[model], 0):
            best[model] = key
    return {key: free[key] for key in sorted(best.values()) if free.get(key)}


def unseen(tier: Tier, node: Node) -> str | None:
    """Why nobody can tell how many units the node has GPUs for, in a word; None where it is known."""
    gpu = tier.gpu
    if gpu is None:
        return None
    if node.cards is None or (node.cards_blind if gpu.profile is None else node.profiles_blind) is not None:
        return "GpusUnread"
    if gpu.profile is not None and not any(profile_matches(tier, profile) for profile in node.profiles):
        # They may hand out what the tier wants, or not.
        return "ProfilesUncounted" if any(_model_matches(tier, c.model, c.name) for c in node.uncounted) else None
    return None


def devices_left(free: Mapping[str, int], needs: Mapping[str, int] | None) -> Mapping[str, int]:
    """What is surely free once a guest with such needs is there: nothing where its needs are not known.

    Whole cards and profiles of one model come out of the same cards: each instance may cost a whole card, and anything else of the model may
    cost all of a profile.
    """
    if needs is None:
        return {}
    if not needs:
        return free
    left = {}
    for key, count in free.items():
        model, _, profile = key.partition("/")
        of_model = {other: number for other, number in needs.items() if other.partition("/")[0] == model and number}
        if profile and of_model.keys() - {key}:
            left[key] = 0
        else:
            left[key] = max(0, count - sum(of_model.values()))
    return left


def _model_matches(tier: Tier, model: str, name: str | None) -> bool:
    return tier.gpu is not None and any(
        glob_matches(glob, text, ignore_case=True)
        for glob in tier.gpu.models
        for text in (model, name)
        if text is not None
    )
