"""The questions of an audit, one file each, found by being there: a module has a ``CHECK``.

What some of them share lies beside them under a leading underscore.
"""
