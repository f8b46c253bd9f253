"""Benchmarks and evaluation: the commands `switchyard bench` and `switchyard eval` where this package is installed."""
