"""Training in compiled code: C that is compiled on the user's machine, where there is a compiler.

`build.py` finds the compiler, keeps what it made, and loads it; `models.py` trains with it. The C
is in `dense.c` and the headers beside it. Nothing depends on it: without a compiler the same
models are trained by batched products, more slowly.
"""
