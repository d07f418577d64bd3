"""Measurements: always beside the peer in one run, median and spread, printed as a table and kept as JSON."""
