"""Says before a start whether the plan fits the machine, and what to change."""
