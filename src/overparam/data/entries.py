"""The data sets the package knows: sizes, sources, licences, checksums, mirrors. No torch.

`overparam.data.places` finds their files, `.loaders` reads them, `.fetching` gets them.
"""

from __future__ import annotations

from pathlib import Path

from overparam.checks import check_choice
from overparam.data.entry import DataFile, Download, Entry, Layout

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"


def catalogue() -> tuple[Entry, ...]:
    """Return every data set the package knows, embedded ones first.

    >>> [entry.name for entry in catalogue() if entry.embedded]
    ['fashion_mnist_small', 'mnist_small', 'digits']
    """
    return _ENTRIES


def entry_of(name: str) -> Entry:
    """Return the entry called `name`.

    Raises:
        UsageError: there is none of that name; the near one is suggested.

    >>> entry_of("mnist").n_train
    60000
    """
    check_choice("data set", name, [entry.name for entry in _ENTRIES])
    return next(entry for entry in _ENTRIES if entry.name == name)


def _idx_layout(folders: tuple[str, ...], checksums: tuple[str, str, str, str]) -> Layout:
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    files = tuple(DataFile(name, sha256) for name, sha256 in zip(names, checksums, strict=True))
    return Layout("idx", folders, files[:2], files[2:])


def _idx_downloads(md5s: tuple[str, str, str, str]) -> tuple[Download, ...]:
    names = (
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    )
    return tuple(Download(name, md5) for name, md5 in zip(names, md5s, strict=True))


_FASHION_SOURCE = (
    "Fashion-MNIST, Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747, "
    "https://github.com/zalandoresearch/fashion-mnist"
)
_FASHION_LICENCE = "MIT, Copyright (c) 2017 Zalando SE"
_MNIST_SOURCE = (
    "MNIST, LeCun, Bottou, Bengio and Haffner 1998, Proceedings of the IEEE 86(11), from NIST "
    "Special Databases 1 and 3"
)
_MNIST_LICENCE = "CC BY-SA 3.0"

# Rows, order and so the contents are those of the IDX files, whose checksums they are held against.
_MNIST_CSV = Layout(
    "csv", ("MNIST", "mnist", "."), (DataFile("mnist_train.csv"),), (DataFile("mnist_test.csv"),)
)
_MNIST_NPZ = Layout(
    "npz", ("MNIST", "mnist", "."), (DataFile("mnist.npz"),), (DataFile("mnist.npz"),)
)
_CIFAR10_BINARY = Layout(
    kind="cifar-binary",
    folders=("cifar-10-batches-bin", "CIFAR10/cifar-10-batches-bin", "."),
    train=(
        DataFile(
            "data_batch_1.bin",
            sha256="cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        ),
        *(DataFile(f"data_batch_{i}.bin") for i in range(2, 6)),
    ),
    test=(
        DataFile(
            "test_batch.bin",
            sha256="8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        ),
    ),
    partial=True,
)
_CIFAR10_PICKLE = Layout(
    kind="cifar-pickle",
    folders=("cifar-10-batches-py", "CIFAR10/cifar-10-batches-py", "."),
    train=(  # the MD5s that torchvision's CIFAR10 checks
        DataFile("data_batch_1", md5="c99cafc152244af753f735de768cd75f"),
        DataFile("data_batch_2", md5="d4bba439e000b95fd0a9bffe97cbabec"),
        DataFile("data_batch_3", md5="54ebc095f3ab1f0389bbae665268c751"),
        DataFile("data_batch_4", md5="634d18415352ddfa80567beed471001a"),
        DataFile("data_batch_5", md5="482c414d41f54cd18b22e5b47cb7c3cb"),
    ),
    test=(DataFile("test_batch", md5="40351d587109b95175f43aff81a1287e"),),
    partial=True,
)

_ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="fashion_mnist_small",
        n_train=4000,
        n_test=1000,
        input_shape=(1, 28, 28),
        n_classes=10,
        source=f"4,000 + 1,000 images of {_FASHION_SOURCE}",
        licence=_FASHION_LICENCE,
        embedded=True,
        files=(
            DataFile(
                "fashion_mnist_small-images-idx3-ubyte.xz",
                sha256="0a45982e44a5a78506eaf6db98484c2a39ea656a92ecac428a2cdcaabebf89eb",
            ),
            DataFile(
                "fashion_mnist_small-labels-idx1-ubyte.xz",
                sha256="39fd2e7ebffdb466fe340ceade723db539fd442dd7df01e7dc2ddf8d3389f95c",
            ),
        ),
    ),
    Entry(
        name="mnist_small",
        n_train=400,
        n_test=100,
        input_shape=(1, 28, 28),
        n_classes=10,
        source=f"400 + 100 images of {_MNIST_SOURCE}",
        licence=_MNIST_LICENCE,
        embedded=True,
        files=(
            DataFile(
                "mnist_small-images-idx3-ubyte.xz",
                sha256="d2aac3d882957f695fd733692672742f2e90e0f969f3b89b63212771acce4250",
            ),
            DataFile(
                "mnist_small-labels-idx1-ubyte.xz",
                sha256="0d27b34f8799f9d4434b27ef40401638dc5833b00c151b059f0680446ec97ac7",
            ),
        ),
    ),
    Entry(
        name="digits",
        n_train=1297,
        n_test=500,
        input_shape=(1, 8, 8),
        n_classes=10,
        source=(
            "Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998, UCI repository, "
            "as scikit-learn ships it"
        ),
        licence="CC BY 4.0",
        embedded=True,
    ),
    Entry(
        name="mnist",
        n_train=60_000,
        n_test=10_000,
        input_shape=(1, 28, 28),
        n_classes=10,
        source=_MNIST_SOURCE,
        licence=_MNIST_LICENCE,
        embedded=False,
        layouts=(
            _idx_layout(
                ("MNIST/raw", "MNIST", "mnist", "."),
                (
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
            ),
            _MNIST_NPZ,
            _MNIST_CSV,
        ),
        downloads=_idx_downloads(
            (
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "d53e105ee54ea40749a09fcbcd1e9432",
                "9fb629c4189551a2d022fa330f9573f3",
                "ec29112dd5afa0611ce80d1b7f02629c",
            )
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        fetch_folder="MNIST/raw",
    ),
    Entry(
        name="fashion_mnist",
        n_train=60_000,
        n_test=10_000,
        input_shape=(1, 28, 28),
        n_classes=10,
        source=_FASHION_SOURCE,
        licence=_FASHION_LICENCE,
        embedded=False,
        layouts=(
            _idx_layout(
                ("FashionMNIST/raw", "FashionMNIST", "fashion-mnist", "fashion_mnist", "."),
                (
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                ),
            ),
        ),
        downloads=_idx_downloads(
            (
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79",
                "bb300cfdad3c16e7a12a480ee83cd310",
            )
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        fetch_folder="FashionMNIST/raw",
    ),
    Entry(
        name="cifar10",
        n_train=50_000,
        n_test=10_000,
        input_shape=(3, 32, 32),
        n_classes=10,
        source=(
            "CIFAR-10, Krizhevsky 2009, Learning multiple layers of features from tiny images, "
            "https://www.cs.toronto.edu/~kriz/cifar.html"
        ),
        licence="none stated by its authors; asks to cite the technical report",
        embedded=False,
        layouts=(_CIFAR10_BINARY, _CIFAR10_PICKLE),
        downloads=(Download("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        fetch_folder="cifar-10-batches-bin",
    ),
)
