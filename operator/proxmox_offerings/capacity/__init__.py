"""Inventory x allocation policy -> headroom and fit. Pure, exact integers all the way.

Bytes for memory and disk; for CPU, hundredths of a shared vCPU ("points"), so that nothing is rounded before whole units are counted.
"""
