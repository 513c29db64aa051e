"""Copies of rows, equal or nearly so: which there are, labels that contradict, what they flatter.

Read `duplicates`, then `near_duplicates`, `conflicts` and `copied_tests`.
"""
