"""Tiers x fit -> the Offerings that should exist, and what they say. Pure."""
