"""The common parts of the services: app factory, errors, health, authentication, limits, metrics, durable jobs."""
