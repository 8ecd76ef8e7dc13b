"""What the workshop runs and the product does not ship. Run from the checkout: `python -m tools.kube.build`."""
