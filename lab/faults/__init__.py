"""Faults of a lab as data, and what makes and mends them (docs/lab.md, Faults)."""
