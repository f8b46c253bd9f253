"""The migration drill: real processes, killed and switched under load; `python -m drill` plays it and prints a table."""
