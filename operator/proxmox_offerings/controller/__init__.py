"""What turns the wheel: watches, the work queue, the reconciler, and the process around them."""
