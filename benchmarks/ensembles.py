"""What subset ensembles cost: forests, small networks, MNIST, memory, influence. Each by its flag.

    python benchmarks/ensembles.py --forests 200      against joblib's parallel loop over clones
    python benchmarks/ensembles.py --networks 1000    5,000 rows, scores and intervals: minutes
    python benchmarks/ensembles.py --mnist 40         the published MNIST demonstration: s a model
    python benchmarks/ensembles.py --memory           peaks of the workers, planned and taken
    python benchmarks/ensembles.py --influence 1000   60,000 x 10,000 pairs, streamed

Without a flag all of them run, at these sizes.
"""

from __future__ import annotations

import argparse

import ensemble_forests
import ensemble_memory
import ensemble_networks

PARTS = {
    "forests": (ensemble_forests.forests, 200),
    "networks": (ensemble_networks.networks, 1000),
    "mnist": (ensemble_networks.mnist, 40),
    "memory": (ensemble_memory.memory, 40),
    "influence": (ensemble_memory.influence, 1000),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, (_, size) in PARTS.items():
        parser.add_argument(f"--{name}", type=int, nargs="?", const=size, metavar="MODELS")
    parser.add_argument("--rounds", type=int, default=3, help="of the forests")
    args = parser.parse_args()
    asked = {name: getattr(args, name) for name in PARTS if getattr(args, name) is not None}
    for name, size in (asked or {name: size for name, (_, size) in PARTS.items()}).items():
        work = PARTS[name][0]
        work(size, args.rounds) if name == "forests" else work(size)


if __name__ == "__main__":
    main()
