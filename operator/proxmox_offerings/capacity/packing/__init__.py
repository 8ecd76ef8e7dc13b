"""Whether units of several kinds fit at the same time, and where: node by node, keeping every way of filling that no other one beats.

What a node can take is a set of vectors (units by kind), of which only the maximal ones matter: its Pareto front (`fronts`, `fillings`). What
nodes can take together are the maximal sums of those (`search`). As long as all of them are kept, "no" is proven as well as "yes", and what
the nodes that are left cannot hold any more (`bounds`) ends a way early. Disks on a backing that one node alone reaches belong to that node's
vectors. Backings that several nodes reach are one more place that everything must fit into: how many units of which kinds they hold together
is worked out once (`sharing`), and a way of filling the nodes is good if what does not lie on the nodes' own disks is within it (`axes`).

Effort is counted in steps, never in time, so that the answer to the same question is always the same. Why this way:
docs/design/mixes-are-packed-exactly.md.
"""

from proxmox_offerings.capacity.packing.effort import Effort
from proxmox_offerings.capacity.packing.fillings import Place
from proxmox_offerings.capacity.packing.fronts import Vector
from proxmox_offerings.capacity.packing.packer import Packer, Packing
from proxmox_offerings.capacity.packing.search import Placed

__all__ = ["Effort", "Packer", "Packing", "Place", "Placed", "Vector"]
