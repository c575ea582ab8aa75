"""Short names of checkouts, told apart. Pure."""

from collections.abc import Iterable, Mapping


def checkout_names(checkouts: Iterable[str]) -> Mapping[str, str]:
    """The folder of each, with the one above it where two are called the same; empty: there are not several."""
    paths = sorted(set(checkouts))
    if len(paths) < 2:
        return {}
    short = {path: path.rpartition("/")[2] or path for path in paths}
    same = list(short.values())
    return {path: name if same.count(name) == 1 else "/".join(path.split("/")[-2:]) for path, name in short.items()}
