"""What the path of what nvcc made tells: the package and the profile of cargo that it was made for. Pure."""

import re

_OUT_DIR = re.compile(r"(?:.*/)?(?P<profile>[^/]+)/build/(?P<package>[^/]+)-[0-9a-f]{16}/out/(?P<name>.+)", re.DOTALL)
"""`target/debug/build/kern-0123456789abcdef/out/k.o`. Source: cargo 1.95."""


def profile_of(output: str) -> str:
    """The folder of a profile, `debug` or `release`; empty: it lies in no OUT_DIR."""
    found = _OUT_DIR.fullmatch(output)
    return found["profile"] if found else ""


def lasting_place(output: str) -> str:
    """What names it in builds of every profile: package and path in OUT_DIR; elsewhere its path as it is."""
    found = _OUT_DIR.fullmatch(output)
    return f"{found['package']}/{found['name']}" if found else output


def out_dir_of(output: str) -> str:
    """The package whose OUT_DIR it lies in, else its folder: objects there are what is linked there."""
    found = _OUT_DIR.fullmatch(output)
    return found["package"] if found else output.rpartition("/")[0]
