"""Every regular expression of the code that is shipped: found, analysed, and measured on hostile text."""
