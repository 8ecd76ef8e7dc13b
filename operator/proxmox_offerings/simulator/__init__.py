"""A simulated Proxmox VE cluster over HTTPS, for the demo, the tests and everybody's own trials.

It knows the server and nothing of our client, so that a wrong belief of the client meets an answer that contradicts it. It promises the behaviour
that decides whether an operator is right (docs/reference/simulator.md), not completeness: what it does not know it refuses as the real one does.
"""
