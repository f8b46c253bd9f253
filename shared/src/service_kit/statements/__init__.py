"""What a statement commits itself to, read and compared: numbers, dates, names, codes, negation."""
