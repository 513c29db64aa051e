"""Linear designs: rank, which coefficients are identified, by name; minimum-norm solutions.

Read `linear_design`, then `minimum_norm`.
"""
