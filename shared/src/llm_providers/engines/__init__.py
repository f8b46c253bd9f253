"""The table of engines: named entries that say which server serves which role with which model."""
