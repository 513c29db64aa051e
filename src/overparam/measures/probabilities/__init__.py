"""Predicted probabilities: calibration, proper scores and their parts, temperature.

Read `calibration`, then `score_split`, `temperature` and `refinement`.
"""
