"""What the services have in common: app factory, errors, health, auth, limits, metrics, durable jobs."""
