"""Where the files that ship beside the code lie: in the checkout, or inside the wheel."""

from __future__ import annotations

from pathlib import Path


def share(name: str) -> Path:
    """
    Return the folder `sql`, `taxonomies` or `deploy`.

    In a wheel they stand in `nextstep/_share`; in a checkout beside the package.
    """
    package = Path(__file__).resolve().parent
    inside = package / "_share" / name
    return inside if inside.is_dir() else package.parent / name
