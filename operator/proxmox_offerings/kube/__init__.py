"""Reading and writing Kubernetes: plain requests over the official client, server-side apply, errors as a small tree of our own."""
