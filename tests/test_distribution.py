"""What is given away is whole: source distribution, package, and Python without docstrings."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BY_ITSELF = {"README.md", "LICENSE", "NOTICE", "pyproject.toml", "MANIFEST.in", "src"}  # setuptools
NEEDLESS = {".gitignore"}

SCRIPT = """
import overparam as op
from overparam import phenomena
print(op.run("random_features", "smoke", n_seeds=2, workers=1, settings={"n_train": 60}))
print(phenomena.find("identity/by_depth").doc)
"""


def test_the_source_distribution_holds_all_that_the_repository_holds():
    lines = (ROOT / "MANIFEST.in").read_text().splitlines()
    words = [line.split() for line in lines if line.startswith(("graft", "include"))]
    held = {word.partition("/")[0] for line in words for word in line[1:]} | BY_ITSELF
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:  # itself unpacked from a source distribution
        missing = {w for line in words for w in line[1:] if not (ROOT / w).exists()}
    else:
        tracked = {name.partition("/")[0] for name in listing.stdout.splitlines()}
        missing = tracked - held - NEEDLESS
    assert not missing, f"add them to MANIFEST.in: {sorted(missing)}"


def test_the_package_holds_all_its_files():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["overparam"]
    package = ROOT / "src" / "overparam"
    files = [p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    others = [p.relative_to(package) for p in files if p.suffix != ".py" and p.name[0] != "."]
    assert others
    lost = [p for p in others if not any(fnmatch.fnmatch(str(p), q) for q in patterns)]
    assert not lost, f"add them to package-data in pyproject.toml: {lost}"


@pytest.mark.slow
def test_without_docstrings_and_assertions_all_is_said_and_done(tmp_path):
    found = []
    for level in ("0", "2"):
        answer = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONOPTIMIZE": level},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, answer.stderr
        found.append(answer.stdout.split())
    assert found[0] == found[1]
    assert "Claim:" in found[0]
