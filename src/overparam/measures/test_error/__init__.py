"""Test error: what it is made of, what more rows bring, and whether fitting everything harms.

Read `error_budget`, then `more_data` and `interpolation_harm`.
"""
