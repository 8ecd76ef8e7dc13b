"""What `check` looks at: each part of the way from a manifest to a tier's stock, and what mends it. Reads only."""
