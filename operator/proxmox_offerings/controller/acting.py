"""For which ProxmoxHost the running task acts, so that each write can be asked whether it may be made (members.Member.require).

In the context and not in arguments: whoever forgets it may write nothing where work is shared, instead of anything.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from proxmox_offerings.kube.objects import Ref

_HOST: ContextVar[Ref | None] = ContextVar("host acted for", default=None)


@contextlib.contextmanager
def acting_for(host: Ref | None) -> Iterator[None]:
    """What is done in this block, and in tasks that are begun in it, is done for `host`; None: for nobody knows which."""
    token = _HOST.set(host)
    try:
        yield
    finally:
        _HOST.reset(token)


def host_acted_for() -> Ref | None:
    """The host; None outside of such a block."""
    return _HOST.get()
