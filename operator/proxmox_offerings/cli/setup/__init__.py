"""What `init` does: find out how a cluster is reached and trusted, and write that down. Reads only, but for the one file."""
