"""`switchyard compare`: the same questions to two backends, measured at the client."""
