"""What was seen of a cluster, normalised. Pure: answers in, a Snapshot out; no clock, no I/O, no policy of the seller."""
