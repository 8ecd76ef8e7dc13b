"""Helm, built from its Go modules."""
