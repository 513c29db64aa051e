"""`write_whole`: a file that is there whole or not at all, whatever ends the writing.

A page that is made again takes the place of the old one only when it is complete, so a disk that
fills, or a process that is killed, in the middle costs neither.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from overparam.errors import ResourceError


def write_whole(path: Path, content: str | bytes | Callable[[Path], object]) -> Path:
    """Write `path` beside its place first, then move it there; return `path`.

    Its folder is made. A link is followed: the file it points to is replaced.

    Args:
        content: text (kept as UTF-8), bytes, or a function that writes a file of a given path.

    Raises:
        ResourceError: it cannot be written; what was there before is untouched.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if callable(content):
                content(temporary)
            else:
                temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written",
            got=error.strerror or str(error),
            allowed="a file or folder that you may write to, with space for it",
            remedy="free some space, or choose another place",
        ) from error
    return path
