"""Why a compilation missed, of inputs that are made up; `tests/real/test_explained.py` has real ones."""

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from core.cache import inputs_book
from core.cache.calls import parse_call
from core.cache.explain import Explainer
from core.cache.file_digests import WHOLE_BYTES, FileDigests
from core.cache.inputs import MAX_SOURCES, Files, Inputs, digest_of, gather
from core.cache.inputs_book import InputsBook
from core.cache.why import explain

BASE = Inputs(
    "low lib dep-info,link,metadata", "61aa", "stable", "/a",
    ("--crate-name=low", "low/src/lib.rs", "--crate-type=lib", "-C debuginfo=2", "--cfg feature=\"std\"",
     "-C metadata=11", "-C extra-filename=-11"),
    {"CARGO_PKG_VERSION": "1.1.0", "CARGO_PKG_NAME": "low", "CARGO_MANIFEST_DIR": "/a/low", "CARGO_TERM": "#1"},
    {"low/src/lib.rs": "aa", "low/src/part.rs": "bb"}, {"serde": "cc", "libz.a": "dd"}, began=10.0, stored=12.0,
)  # fmt: skip
NOW = replace(BASE, began=20.0, stored=0.0)


def changed(**fields: object) -> Inputs:
    return replace(NOW, **fields)  # type: ignore[arg-type]


def words(*changes: tuple[str, str]) -> tuple[str, ...]:
    swap = dict(changes)
    return tuple(new for word in BASE.words if (new := swap.get(word, word)))


def test_a_unit_that_nobody_made_before_is_the_first() -> None:
    assert explain(NOW, []) == ("first time", "")
    assert explain(NOW, [replace(BASE, unit="low lib metadata")]) == ("first time", "")


def test_what_is_as_it_was_stored_was_evicted() -> None:
    assert explain(NOW, [BASE]) == ("evicted", "")


def test_what_another_build_compiles_at_the_same_moment_is_a_first_time_too() -> None:
    assert explain(changed(began=11.0), [BASE]) == ("first time", "another build compiled it at the same moment")
    assert explain(changed(began=0.0), [BASE]) == ("evicted", "")


def test_what_cannot_be_seen_is_not_guessed() -> None:
    assert explain(changed(is_whole=False), [BASE])[0] == "not known"
    secret = {**BASE.env, "CARGO_REGISTRY_TOKEN": "set"}
    assert explain(changed(env=secret), [replace(BASE, env=secret)]) == (
        "not known", "nothing that can be seen; CARGO_REGISTRY_TOKEN may differ",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "reason", "detail"),
    [
        (changed(sources={**BASE.sources, "low/src/part.rs": "b2"}), "source", "low/src/part.rs"),
        (changed(sources={"low/src/lib.rs": "aa"}), "source", "low/src/part.rs is gone"),
        (changed(sources={**BASE.sources, "x.rs": "1"}), "source", "x.rs is new"),
        (changed(words=words(("-C debuginfo=2", "-C debuginfo=1"))), "flags", "-C debuginfo=1, was 2"),
        (changed(words=words(("-C debuginfo=2", ""))), "flags", "-C debuginfo=2 is gone"),
        (changed(words=(*BASE.words, '--cfg feature="x"')), "flags", '--cfg feature="x" is new'),
        (changed(words=words(("-C metadata=11", "-C metadata=12"))), "flags",
         "-C metadata: cargo takes it for another unit"),
        (changed(words=BASE.words[::-1]), "flags", "their order"),
        (changed(env={**BASE.env, "CARGO_TERM": "#2"}), "environment", "CARGO_TERM"),
        (changed(env={**BASE.env, "CARGO_X": "#2"}), "environment", "CARGO_X is new"),
        (changed(env={**BASE.env, "CARGO_PKG_VERSION": "1.2.0", "CARGO_PKG_VERSION_MINOR": "2"}), "environment",
         "CARGO_PKG_VERSION: 1.2.0, was 1.1.0"),
        (changed(cwd="/b", env={**BASE.env, "CARGO_MANIFEST_DIR": "/b/low"}), "folder", "/b, was /a"),
        (changed(env={**BASE.env, "CARGO_MANIFEST_DIR": "/a/x/low/out"}), "folder",
         "CARGO_MANIFEST_DIR: /a/x/low/out, was /a/low"),
        (changed(externs={**BASE.externs, "serde": "c2"}), "dependency", "serde (its own inputs differ)"),
        (changed(externs={"serde": "1", "libz.a": "2"}), "dependency", "serde; libz.a (their own inputs differ)"),
        (changed(externs={"serde": "cc"}), "dependency", "libz.a is gone"),
        (changed(compiler="62", toolchain="nightly"), "compiler", "nightly, was stable"),
        (changed(compiler="62"), "compiler", "stable, was another build of it"),
    ],
)  # fmt: skip
def test_the_input_that_differs_is_named(now: Inputs, reason: str, detail: str) -> None:
    assert explain(now, [BASE]) == (reason, detail)


def test_nothing_is_called_new_beside_one_whose_sources_were_never_seen() -> None:
    unseen = changed(sources={}, env={"CARGO_PKG_NAME": "low"}, is_whole=False)
    now = changed(env={"CARGO_PKG_NAME": "low", "OUT_DIR": "/t/out"})
    assert explain(now, [unseen]) == ("not known", "nothing that can be seen")
    assert explain(unseen, [now]) == ("not known", "nothing that can be seen")
    assert explain(now, [unseen, now]) == ("evicted", "")


def test_a_cause_is_told_before_what_follows_from_it() -> None:
    follows = {"externs": {"serde": "x", "libz.a": "dd"}, "words": words(("-C metadata=11", "-C metadata=12"))}
    assert explain(changed(compiler="62", toolchain="n", **follows), [BASE])[0] == "compiler"
    assert explain(changed(cwd="/b", **follows), [BASE])[0] == "folder"
    flags = words(("-C debuginfo=2", "-C debuginfo=0"), ("-C metadata=11", "-C metadata=12"))
    assert explain(changed(words=flags, externs=follows["externs"]), [BASE])[0] == "flags"
    both = changed(words=flags, sources={**BASE.sources, "low/src/part.rs": "b2"})
    assert explain(both, [BASE]) == ("flags", "-C debuginfo=0, was 2; also low/src/part.rs")


def test_the_nearest_of_all_earlier_ones_is_compared_with() -> None:
    edited = changed(cwd="/b", sources={**BASE.sources, "low/src/part.rs": "b2"})
    there = replace(BASE, cwd="/b")
    assert explain(edited, [BASE, there]) == ("source", "low/src/part.rs")
    assert explain(edited, [there, BASE]) == ("source", "low/src/part.rs")


def test_another_version_of_a_package_from_elsewhere_is_another_unit() -> None:
    newer = changed(env={**BASE.env, "CARGO_PKG_VERSION": "2.0.0"}, sources={"/registry/src/x/lib.rs": "1"})
    assert explain(newer, [BASE]) == ("first time", "2.0.0; 1.1.0 was made before")


def test_a_long_list_of_differences_is_cut_and_nothing_in_it_reaches_a_terminal() -> None:
    many = changed(env={**BASE.env, **{f"CARGO_{n}\x1b[2J": "#1" for n in range(9)}})
    reason, detail = explain(many, [BASE])
    assert (reason, detail) == ("environment", "CARGO_0 is new; CARGO_1 is new; 7 more")
    long = changed(cwd="/" + "x" * 500)
    assert len(explain(long, [BASE])[1]) == 160


DEP_INFO = (
    b"/t/deps/low-11.d: low/src/lib.rs /t/out/g.rs a\\ b.rs /home/me/.cargo/registry/src/i/r-1/lib.rs\n\n"
    b"low/src/lib.rs:\n\n# env-dep:OUT_DIR=/t/out\n# env-dep:DB_PASSWORD=hunter2\n# env-dep:UNSET\n"
)
ARGV = (
    "--crate-name", "low", "--edition=2021", "/a/low/src/lib.rs", "--crate-type", "lib", "--emit=dep-info,metadata",
    "--cfg", 'feature="std"', "--check-cfg", "cfg(docsrs)", "-C", "debuginfo=2", "-Copt-level=1",
    "--codegen", "lto=off", "--out-dir", "/t/deps", "-L", "dependency=/t/deps",
    "--extern", "priv:serde=/t/deps/libserde-1.rmeta",
    "--extern", "proc_macro", "-L", "native=/t/lib", "-l", "static=z", "--diagnostic-width=80", "--color", "always",
)  # fmt: skip
ENV = {
    "CARGO": "/tools/nightly/bin/cargo", "CARGO_PKG_VERSION": "1.0.0", "CARGO_PKG_DESCRIPTION": "x" * 100,
    "CARGO_MAKEFLAGS": "-j", "CARGO_BUILD_JOBS": "2", "CARGO_REGISTRIES_OURS_INDEX": "i", "CARGO_REGISTRY_TOKEN": None,
    "CARGO_ENCODED_RUSTFLAGS": "", "CARGO_ALARM_SECRET": "s3cret", "PATH": "/bin",
}  # fmt: skip


def files(**contents: bytes) -> Files:
    known: Mapping[str, bytes] = {"/t/deps/low-11.d": DEP_INFO, **contents}

    def read_file(path: str) -> bytes:
        if path not in known:
            raise OSError(path)
        return known[path]

    def names(folder: str) -> list[str]:
        known = {"/tools/nightly/lib": ["libstd.so", "librustc_driver-b5a9.so"], "/home/me/.cargo/lib": [],
                 "/tools/stable/lib": ["librustc_driver-57ab.so"]}  # fmt: skip
        if folder not in known:
            raise OSError(folder)
        return known[folder]

    return Files(read_file, lambda path: digest_of(path.encode()) if "lost" not in path else "", names)


def gathered(**env: str) -> Inputs:
    return gather(ARGV, {**ENV, **env}, "/a", "/t/deps/low-11.d", files=files(), compiler="/usr/bin/rustc")


def test_what_counts_in_the_key_is_gathered_and_nothing_else() -> None:
    now = gathered()
    assert now.unit == "low lib dep-info,metadata"
    assert now.words == (
        "--crate-name=low", "--edition=2021", "$PWD/low/src/lib.rs", "--crate-type=lib", "--emit=dep-info,metadata",
        '--cfg feature="std"', "-C debuginfo=2", "-C opt-level=1", "-C lto=off", "-l static=z",
    )  # fmt: skip
    assert now.sources == {
        "low/src/lib.rs": digest_of(b"/a/low/src/lib.rs"), "$OUT_DIR/g.rs": digest_of(b"/t/out/g.rs"),
        "a b.rs": digest_of(b"/a/a b.rs"), "/home/me/.cargo/registry/src/i/r-1/lib.rs": "fixed",
    }  # fmt: skip
    assert now.externs == {"serde": digest_of(b"/t/deps/libserde-1.rmeta"), "libz.a": digest_of(b"/t/lib/libz.a")}
    assert (now.compiler, now.toolchain) == ("b5a9", "nightly")
    assert now.env == {
        "CARGO_ALARM_SECRET": "set", "CARGO_PKG_DESCRIPTION": "#" + digest_of(b"x" * 100), "CARGO_PKG_VERSION": "1.0.0",
        "CARGO_REGISTRY_TOKEN": "set", "DB_PASSWORD": "set", "OUT_DIR": "/t/out", "UNSET": "#" + digest_of(b""),
    }  # fmt: skip
    assert not now.is_whole  # two secrets may differ unseen


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/tools/stable/bin/rustc", ("57ab", "stable")), ("/tools/stable/bin/clippy-driver", ("57ab", "stable")),
        ("/home/me/.cargo/bin/rustc", ("b5a9", "nightly")), ("rustc", ("b5a9", "nightly")),
    ],
)  # fmt: skip
def test_the_compiler_is_the_one_that_was_called_and_not_the_one_beside_cargo(
    path: str, found: tuple[str, str]
) -> None:
    now = gather(ARGV, ENV, "/a", "/t/deps/low-11.d", files=files(), compiler=path)
    assert (now.compiler, now.toolchain) == found


def test_no_credential_is_kept_in_any_form() -> None:
    text = json.dumps(gathered().to_json(), default=dict)
    assert "hunter2" not in text
    assert "s3cret" not in text
    assert digest_of(b"s3cret") not in text


def test_without_its_dep_info_a_compilation_is_known_in_part() -> None:
    now = gather(ARGV, {}, "/a", "/lost.d", files=files(), compiler="/usr/bin/rustc")
    assert not now.is_whole
    assert now.sources == {}
    assert now.compiler == digest_of(b"/usr/bin/rustc")
    whole = gather(ARGV, {}, "/a", "/t/deps/x.d", files=files(**{"/t/deps/x.d": b"x: a.rs\n"}), compiler="/r")
    assert whole.is_whole


def test_of_very_many_sources_only_some_are_told_apart() -> None:
    listed = b"x: " + b" ".join(b"%d.rs" % n for n in range(MAX_SOURCES + 50)) + b"\n"
    now = gather(ARGV, {}, "/a", "/t/x.d", files=files(**{"/t/x.d": listed}))
    assert len(now.sources) == MAX_SOURCES + 1
    assert len(now.sources["…"]) == 16


def test_inputs_survive_their_json() -> None:
    now = gathered()
    assert Inputs.from_json(json.loads(json.dumps(now.to_json(), default=dict))) == now
    for value in ({}, {"unit": "x"}, {**BASE.to_json(), "env": 3}):
        with pytest.raises((KeyError, TypeError)):
            Inputs.from_json(value)


def test_a_book_knows_after_a_restart_what_it_was_told(tmp_path: Path) -> None:
    path = str(tmp_path / "book.jsonl")
    book = InputsBook(path)
    book.add(BASE)
    book.add(replace(BASE, cwd="/b"))
    book.add(replace(BASE, unit="other"))
    assert [old.cwd for old in InputsBook(path).find(BASE.unit)] == ["/b", "/a"]
    assert InputsBook(path).find("nobody") == []
    assert stat.S_IMODE((tmp_path / "book.jsonl").stat().st_mode) == 0o600


def test_a_book_of_which_a_line_is_torn_or_foreign_loses_only_that(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    book = InputsBook(str(path))
    book.add(BASE)
    with path.open("ab") as file:
        file.write(b"what\n" + path.read_bytes().replace(b'"inputs"', b'"inpxts"') + path.read_bytes()[:50])
    again = InputsBook(str(path))
    assert again.find(BASE.unit) == [BASE]
    again.add(replace(BASE, cwd="/b"))
    assert [old.cwd for old in InputsBook(str(path)).find(BASE.unit)] == ["/b", "/a"]


def test_a_book_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_book, "MAX_LINES", 50)
    path = tmp_path / "book.jsonl"
    book = InputsBook(str(path))
    for number in range(400):
        book.add(replace(BASE, unit=f"u{number % 30}", cwd=f"/{number}"))
    assert len(path.read_bytes().splitlines()) <= 101
    assert [old.cwd for old in book.find("u9")][:1] == ["/399"]
    assert len(book.find("u9")) <= inputs_book.MAX_PER_UNIT
    assert [old.cwd for old in InputsBook(str(path)).find("u9")] == [old.cwd for old in book.find("u9")]


def test_a_book_that_cannot_be_written_knows_nothing(tmp_path: Path) -> None:
    book = InputsBook(str(tmp_path / "none" / "book.jsonl"))
    book.add(BASE)
    assert book.find(BASE.unit) == []


def test_files_are_read_again_only_when_they_changed(tmp_path: Path) -> None:
    digests = FileDigests()
    path = tmp_path / "f"
    path.write_bytes(b"one")
    first = digests.digest(str(path))
    assert first == digest_of(b"one") == digests.digest(str(path))
    path.write_bytes(b"three")
    assert digests.digest(str(path)) == digest_of(b"three")
    assert digests.digest(str(tmp_path / "lost")) == digests.digest(str(tmp_path)) == ""


def test_a_large_file_is_looked_at_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "large"
    content = bytearray(WHOLE_BYTES * 3)
    path.write_bytes(content)
    first = FileDigests().digest(str(path))
    content[100] = 1
    path.write_bytes(content)
    assert FileDigests().digest(str(path)) != first


def test_a_miss_is_explained_by_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "deps").mkdir()
    (tmp_path / "deps" / "low-1.d").write_bytes(b"x: lib.rs\n")
    source = tmp_path / "lib.rs"
    source.write_text("1")
    argv = ("--crate-name", "low", "lib.rs", "--out-dir", str(tmp_path / "deps"), "-C", "extra-filename=-1")
    note = {"at": 1.0, "cwd": str(tmp_path), "direct": False, "argv": ["rustc", *argv], "env": {"CARGO": "/lost/bin/c"}}
    call = parse_call(json.dumps(note).encode())
    assert call is not None
    explainer = Explainer(str(tmp_path / "book"))
    assert explainer.explain(call, 2.0) == ("first time", "")
    source.write_text("22")
    assert Explainer(str(tmp_path / "book")).explain(call._replace(at=3.0), 4.0) == ("source", "lib.rs")
