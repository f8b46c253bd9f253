"""The audit log: who did what, from where, when and how it ended; append-only lines that hold each other by their hashes."""
