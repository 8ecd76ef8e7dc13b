"""Event loops of tests that run in threads of their own."""

import asyncio

TURNS = 20
"""In which a connection that was accepted comes to its handshake, or one that is broken to its end."""


async def end_connections() -> None:
    """Break what is still connected in the running loop, also what is in its handshake, and let it come to its end.

    Connections end by callbacks. A loop that is closed before these are called leaves sockets to the garbage collector, which warns of them in
    whichever test runs then; and on a busy machine no time is long enough to wait for that.
    """
    loop = asyncio.get_running_loop()
    for _ in range(TURNS):
        for transport in list(loop._transports.values()):  # type: ignore[attr-defined]
            if not transport.is_closing():
                transport.abort()
        await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
