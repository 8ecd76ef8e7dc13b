"""`-o wide`: how full each node and each storage is, as bars. What is shown is what was counted, not what guests happen to use."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from proxmox_offerings.catalogue.messages import REASONS
from proxmox_offerings.catalogue.text import clean
from proxmox_offerings.cli.explanation import NOT_SELECTED, STORAGE_WORDS, size, vcpus
from proxmox_offerings.cli.table import GAP
from proxmox_offerings.cli.terminal import Paint

if TYPE_CHECKING:
    from proxmox_offerings.catalogue.explain import Explanation, NodeAccount, StorageAccount

CELLS = 10
HIGH, VERY_HIGH = 75, 90


class Bars(NamedTuple):
    """The signs that bars are made of."""

    full: str
    empty: str


BLOCKS, PLAIN = Bars("█", "░"), Bars("#", ".")


class Cell(NamedTuple):
    """What is written, and in which colour."""

    text: str
    color: str | None = None


def render(explanation: "Explanation", *, paint: Paint, bars: Bars) -> str:
    """Nodes, then storages."""
    nodes = [
        [Cell("NODE"), Cell("CPU COMMITTED"), Cell("MEMORY COMMITTED"), Cell("GPUS TAKEN"), Cell("")],
        *(_node(node, bars) for node in explanation.nodes),
    ]
    storages = [
        [Cell("STORAGE"), Cell("CLASS"), Cell("USED OR KEPT BACK"), Cell("FOR SALE"), Cell("")],
        *(_storage(storage, bars) for storage in explanation.storages),
    ]
    return "\n\n".join(_aligned(rows, paint) for rows in (nodes, storages) if len(rows) > 1)


def bar(used: int, capacity: int, bars: Bars) -> Cell:
    """`used` of `capacity`: full cells round up as soon as anything is used, so that no bar looks emptier than it is."""
    if capacity <= 0:
        return Cell(
            f"{bars.full * CELLS}   -" if used > 0 else f"{bars.empty * CELLS}   -", "red" if used > 0 else None
        )
    percent = -(-used * 100 // capacity)
    full = min(CELLS, max(0, -(-used * CELLS // capacity)))
    color = "green" if percent < HIGH else "yellow" if percent < VERY_HIGH else "red"
    return Cell(f"{bars.full * full}{bars.empty * (CELLS - full)} {percent:>3} %", color)


def _node(node: "NodeAccount", bars: Bars) -> list[Cell]:
    name = clean(node.name)
    if node.left_out is not None:
        return [
            Cell(name),
            Cell(""),
            Cell(""),
            Cell(""),
            Cell(f"left out: {REASONS.get(node.left_out, NOT_SELECTED)}", "yellow"),
        ]
    cpu, memory = node.cpu.committed + node.cpu_returning, node.memory.committed + node.memory_returning
    return [
        Cell(name),
        _with(bar(cpu, node.cpu.capacity, bars), f"{vcpus(cpu).split()[0]} of {vcpus(node.cpu.capacity)}"),
        _with(bar(memory, node.memory.capacity, bars), f"{size(memory, up=True)} of {size(node.memory.capacity)}"),
        _cards(node, bars),
        Cell("committed beyond these terms", "red")
        if cpu > node.cpu.capacity or memory > node.memory.capacity
        else Cell(""),
    ]


def _cards(node: "NodeAccount", bars: Bars) -> Cell:
    if node.cards is None:
        return Cell("could not be read", "yellow")
    total = sum(card.sellable for card in node.cards)
    if not total:
        return Cell("-")
    if any(card.free is None for card in node.cards):
        return Cell(f"? of {total}", "yellow")
    taken = total - sum(card.free or 0 for card in node.cards)
    return _with(bar(taken, total, bars), f"{taken} of {total}")


def _storage(one: "StorageAccount", bars: Bars) -> list[Cell]:
    where = "shared" if one.shared else clean(", ".join(one.nodes))
    name = Cell(f"{clean(one.storage)} ({where})")
    if one.hidden is not None or one.total is None or one.avail is None or one.headroom is None:
        why = STORAGE_WORDS.get(one.hidden or "Unread", one.hidden) or ""
        return [name, Cell(one.storage_class), Cell(""), Cell("none"), Cell(f"not sold: {why}", "yellow")]
    left = max(0, one.headroom)
    shares = f"the same bytes as {clean(', '.join(one.same_bytes))}" if one.same_bytes else ""
    taken = _with(bar(one.total - left, one.total, bars), f"of {size(one.total)}")
    return [name, Cell(one.storage_class), taken, Cell(size(left)), Cell(shares)]


def _with(drawn: Cell, text: str) -> Cell:
    return Cell(f"{drawn.text}  {text}", drawn.color)


def _aligned(rows: Sequence[Sequence[Cell]], paint: Paint) -> str:
    widths = [max(len(cell.text) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths, paint, head=index == 0) for index, row in enumerate(rows))


def _line(row: Iterable[Cell], widths: Iterable[int], paint: Paint, *, head: bool) -> str:
    cells = list(zip(row, widths, strict=True))
    while cells and not cells[-1][0].text:
        cells.pop()
    return GAP.join(
        paint(cell.text, cell.color, bold=head) + " " * (width - len(cell.text)) for cell, width in cells
    ).rstrip()
