"""Cargo's JSON messages, one a line. Source: cargo 1.95 `--message-format=json`, external-tools of its book."""

import json
from typing import Any, NamedTuple

from core import events as e
from core.parsers.text import plain

MAX_RENDERED_BYTES = 4096
START = b'{"reason":"'
_SUMMARIES = ("aborting due to ", "could not compile `")
_SUMMARY_ENDS = ("warning emitted", "warnings emitted")
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


class Unit(NamedTuple):
    """What an artifact message tells."""

    name: str
    package: str
    version: str
    kind: str
    is_fresh: bool
    executable: str | None
    suite: str | None
    """How cargo announces the test binary: `unittests src/lib.rs`, `tests/cli.rs`."""


class Finished(NamedTuple):
    """The last message."""

    is_success: bool


def parse_message(line: bytes) -> Unit | Finished | e.DiagnosticEmitted | None:
    """What a message says; None for one that says nothing to us, is torn, or is none of cargo's.

    Diagnostics have `at` 0.
    """
    try:
        message = json.loads(line)
        match message["reason"]:
            case "compiler-artifact":
                return _artifact(message)
            case "build-script-executed":
                package, version = split_package_id(message["package_id"])
                return Unit(f"{package}(build)", package, version, "run-build-script", False, None, None)
            case "compiler-message":
                return _diagnostic(message["message"], split_package_id(message["package_id"])[0])
            case "build-finished":
                return Finished(message["success"] is True)
    except _BROKEN:
        return None
    return None


def split_package_id(package_id: str) -> tuple[str, str]:
    """Name and version.

    Of `registry+https://…#serde@1.0.2`, of `path+file:///code/app#0.1.0`, or, before 1.77, of `app 0.1.0 (path+…)`.
    """
    source, hash_sign, fragment = package_id.partition("#")
    if not hash_sign or " " in source:
        name, version = package_id.split(" ")[:2]
    elif "@" in fragment:
        name, version = fragment.split("@", 1)
    else:
        name, version = source.partition("?")[0].rsplit("/", 1)[1], fragment
    return _clean(name), _clean(version)


def _clean(text: str) -> str:
    return plain(text.encode("utf-8", "replace"), 200)


def _artifact(message: dict[str, Any]) -> Unit:
    package, version = split_package_id(message["package_id"])
    target = message["target"]
    kind = _clean(target["kind"][0])
    target_name = _clean(target["name"])
    is_test = message["profile"]["test"] is True
    is_doc = any("/doc/" in name and name.endswith(".html") for name in message["filenames"])
    name = _unit_name(package, target_name, kind, "doc" if is_doc else "test" if is_test else "")
    executable = message["executable"]
    suite = _suite(message["manifest_path"], target["src_path"], kind) if is_test else None
    shown_kind = "doc" if is_doc else "test" if is_test else kind
    is_fresh = message["fresh"] is True
    return Unit(name, package, version, shown_kind, is_fresh, _clean(executable) if executable else None, suite)


def _unit_name(package: str, target: str, kind: str, mode: str) -> str:
    """As cargo's progress line names the unit."""
    if mode == "doc":
        return f"{package}(doc)"
    match kind:
        case "custom-build":
            return f"{package}(build.rs)"
        case "bin" | "example":
            return f"{target}({kind} test)" if mode else f"{target}({kind})"
        case "test" | "bench":
            return f"{target}({kind})"
        case _:
            return f"{target}(test)" if mode else package


def _suite(manifest: str, source: str, kind: str) -> str:
    shown = _clean(source.removeprefix(manifest.removesuffix("Cargo.toml")))
    return shown if kind in ("test", "bench") else f"unittests {shown}"


def _diagnostic(message: dict[str, Any], package: str) -> e.DiagnosticEmitted | None:
    level = message["level"]
    text = message["message"]
    is_error = level in ("error", "error: internal compiler error")
    if not (is_error or level == "warning") or text.startswith(_SUMMARIES) or text.endswith(_SUMMARY_ENDS):
        return None
    code = message["code"]
    spans = message["spans"]
    span = next((s for s in spans if s["is_primary"]), spans[0] if spans else None)
    rendered = clean_rendered((message["rendered"] or text).encode("utf-8", "replace"))
    return e.DiagnosticEmitted(
        0.0,
        "error" if is_error else "warning",
        _clean(text.partition("\n")[0]),
        _clean(code["code"]) if code else None,
        _clean(span["file_name"]) if span else None,
        int(span["line_start"]) if span else None,
        int(span["column_start"]) if span else None,
        rendered,
        package,
    )


def clean_rendered(rendered: bytes) -> str:
    """At most 4 KB of a diagnostic's text, sanitised, without colours."""
    lines = rendered[: 4 * MAX_RENDERED_BYTES].rstrip().split(b"\n")
    text = "\n".join(plain(line) for line in lines)
    return text.encode()[:MAX_RENDERED_BYTES].decode("utf-8", "ignore")
