"""How fast and how large the operator is, each figure beside a floor that was measured in the same run (`python -m benchmarks`)."""
