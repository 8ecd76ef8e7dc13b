"""The documentation's site: put together from docs/ and what lies elsewhere, built by Zensical."""
