"""Which of cargo's settings a variable sets. Pure.

Source: cargo book, "Environment variables" and "Configuration", 1.95; a variable that cargo asks for by no key of its
own (`CARGO_PROFILE_DEV_PACKAGE_…`, `CARGO_ENV_…`) sets nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Key = tuple[str, ...]
_PLAIN = """
build.jobs build.rustc build.rustc-wrapper build.rustc-workspace-wrapper build.rustdoc build.target build.target-dir
build.build-dir build.rustflags build.rustdocflags build.incremental build.dep-info-basedir build.artifact-dir
build.warnings cache.auto-clean-frequency cargo-new.vcs doc.browser future-incompat-report.frequency http.proxy
http.timeout http.cainfo http.check-revoke http.ssl-version http.low-speed-limit http.multiplexing http.user-agent
http.debug install.root net.retry net.git-fetch-with-cli net.offline registry.default
resolver.incompatible-rust-versions resolver.lockfile-path term.quiet term.verbose term.color term.hyperlinks
term.unicode term.progress.when term.progress.width term.progress.term-integration
"""
_BY_NAME = {
    "CARGO_" + key.upper().translate({ord("."): "_", ord("-"): "_"}): tuple(key.split(".")) for key in _PLAIN.split()
}
DIRECT: dict[str, Key] = {
    "CARGO_TARGET_DIR": ("build", "target-dir"),
    "CARGO_INCREMENTAL": ("build", "incremental"),
    "RUSTC": ("build", "rustc"),
    "RUSTC_WRAPPER": ("build", "rustc-wrapper"),
    "RUSTC_WORKSPACE_WRAPPER": ("build", "rustc-workspace-wrapper"),
    "RUSTDOC": ("build", "rustdoc"),
    "RUSTFLAGS": ("RUSTFLAGS",),
    "CARGO_ENCODED_RUSTFLAGS": ("CARGO_ENCODED_RUSTFLAGS",),
}
"""They count more than `--config`. The last two are no key's: they take the place of all rustflags."""
_OF_PROFILE = tuple(
    "opt-level lto codegen-backend codegen-units debug split-debuginfo debug-assertions rpath panic overflow-checks "
    "incremental dir-name inherits strip rustflags trim-paths hint-mostly-unused".split()
)
_OF_TARGET = ("linker", "runner", "rustflags", "rustdocflags")
_TEXTS = ("dir", "wrapper", "rustc", "rustdoc", "target", "rustflags", "rustdocflags", "inherits")
"""Ends of keys whose values are text, whatever it looks like."""
_UNDERSCORED = ("x86_64", "aarch64_be")
"""Architectures with an underscore in their name."""


def find_variables(env: Mapping[str, str], names: Iterable[Key] = ()) -> Iterator[tuple[Key, str, Any, bool]]:
    """(key, name of the variable, value, whether it is one of `DIRECT`) of each that sets something.

    `names`: keys that are set elsewhere: a variable does not tell `release-lto` from `release_lto`.
    """
    known: dict[str, str] | None = None
    for name, value in env.items():
        if name in DIRECT:
            if _is_text(value):
                yield DIRECT[name], name, _direct_value(name, value), True
        elif name.startswith("CARGO_"):
            key = _BY_NAME.get(name)
            if key is None and name.startswith(("CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_ALIAS_")):
                known = {_folded(one[1]): one[1] for one in names if len(one) > 1} if known is None else known
                key = _named_key(name, known)
            if key is not None and _is_text(value):
                yield key, name, _typed(key, value), False


def _direct_value(name: str, value: str) -> Any:
    if name == "CARGO_INCREMENTAL":
        return value == "1"
    return (value.split("\x1f") if value else []) if name == "CARGO_ENCODED_RUSTFLAGS" else value


def _typed(key: Key, value: str) -> Any:
    """What cargo makes of it: it does not know types before it needs them."""
    if key[0] in ("alias", "target") or key[-1].endswith(_TEXTS):
        return value
    if value in ("true", "false"):
        return value == "true"
    is_number = value.isascii() and value.removeprefix("-").isdigit() and len(value) < 19
    return int(value) if is_number else value


def _is_text(value: str) -> bool:
    """Cargo passes over what is not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _folded(name: str) -> str:
    return name.replace("-", "_").upper()


def _named_key(variable: str, known: Mapping[str, str]) -> Key | None:
    """Of `CARGO_PROFILE_RELEASE_LTO`, `CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER`, `CARGO_ALIAS_XT`."""
    _, kind, rest = variable.split("_", 2)
    if kind == "ALIAS":
        return ("alias", known.get(rest) or rest.lower().replace("_", "-")) if rest else None
    if kind == "PROFILE" and "_PACKAGE_" in rest:
        return None
    for last in _OF_PROFILE if kind == "PROFILE" else _OF_TARGET:
        name = rest.removesuffix("_" + _folded(last))
        if name == rest or not name:
            continue
        if kind == "TARGET":
            return ("target", known.get(name) or _triple(name), last)
        if (profile := name.removesuffix("_BUILD_OVERRIDE")) != name and profile:
            return ("profile", known.get(profile) or profile.lower().replace("_", "-"), "build-override", last)
        return ("profile", known.get(name) or name.lower().replace("_", "-"), last)
    return None


def _triple(folded: str) -> str:
    name = folded.lower()
    for arch in _UNDERSCORED:
        if name.startswith(arch + "_"):
            return arch + name[len(arch) :].replace("_", "-")
    return name.replace("_", "-")
