"""Running services for tests, on real sockets."""
