"""Parts of the rows: error rates of groups, partially pooled, and segments where error is higher.

Read `groups`, then `segments`.
"""
