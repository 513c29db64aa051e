"""Probes: small tasks with known answers that are put to a network, a family's or the user's own.

Phenomena and the audit share them: a task, what is measured on it, and how it is drawn.
"""
