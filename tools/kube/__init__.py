"""A real Kubernetes control plane for tests, benchmarks and the demo, built from the Go modules that `go.mod` pins."""
