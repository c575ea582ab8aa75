"""The stale-kernel doctor: inputs that a build does not see, and what mends that."""
