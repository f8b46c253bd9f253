"""`switchyard bench overhead`: what the stack adds to calling an engine directly."""
