"""promtool, from its Go module: what alert rules and expressions are checked with."""
