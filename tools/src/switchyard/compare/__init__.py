"""`switchyard compare`: the same questions to two backends, measured from where a user stands."""
