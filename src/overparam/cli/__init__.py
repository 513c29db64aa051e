"""The command line: the only place where strings become objects.

`main` builds the parser and turns errors into messages and exit codes; each group of commands has
a file; `parse` holds every conversion from text. Nothing heavy is imported before it is needed.
"""
