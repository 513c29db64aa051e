"""Tables, looked at before any model: columns that tell the target, order of rows, shift, faults.

Read `columns`, then `leaks`, `with_and_without`, `row_order`, `shift` and `column_faults`.
"""
