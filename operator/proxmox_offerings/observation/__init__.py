"""Reading a cluster again and again: two loops, few calls (design.md 7), and what is believed for how long."""
