"""A diff changes one key of a TOML file, and nothing else."""

import copy
import random
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.plan.mend import MAX_CHARACTERS, changed, diff_of, said_of
from core.plan.mend_diff import unified
from core.plan.plan import Change

Path_ = tuple[str, ...]
RICH = """\
# what everybody gets
[build]   # for all
jobs = 8                      # cores
  incremental = true # edits
rustflags = [
    "-C", "link-arg=-fuse-ld=lld",   # fast
    "-C", "codegen-units=16",
    # the end
    "-Zthreads=8",
]

[target.'cfg(unix)']
linker = "clang"
[target.x86_64-unknown-linux-gnu]
rustflags = "-C opt-level=2 -g"
runner = { path = "jobs = 9", args = ["[build]", 'a"b'] }

[profile.release]
lto = "fat"
package."*".debug = 0 # dotted
package.serde.opt-level = 3
[profile.dev.package."*"]
debug = false
[env]
A.value = "1"
A.force = true
TEXT = \"\"\"
[build]
jobs = 3
\"\"\"
WHEN = 1979-05-27 07:32:00
N = nan
[[products]]
jobs = 1
[[products]]
jobs = 2
[products.build]
incremental = true
"""


def value_at(table: Any, key: Path_) -> Any:
    for word in key:
        if not isinstance(table, dict) or word not in table:
            return None
        table = table[word]
    return table


def with_key(table: dict[str, Any], key: Path_, value: Any) -> dict[str, Any]:
    table = copy.deepcopy(table)
    inner = table
    for word in key[:-1]:
        inner = inner.setdefault(word, {})
    if value is None:
        del inner[key[-1]]
    else:
        inner[key[-1]] = value
    return table


def without_empty(table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    cleaned = {name: without_empty(value) for name, value in table.items()}
    return {name: value for name, value in cleaned.items() if value != {}}


def says(text: str, key: Path_, value: Any, before: str) -> bool:
    """The text parses and says what the one before says, but for one key."""
    wanted = with_key(tomllib.loads(before), key, value)
    return repr(without_empty(sorted_deep(tomllib.loads(text)))) == repr(without_empty(sorted_deep(wanted)))


def sorted_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: sorted_deep(value[name]) for name in sorted(value)}
    return [sorted_deep(one) for one in value] if isinstance(value, list) else value


CASES: list[tuple[Path_, Any]] = [
    (("build", "jobs"), 4),
    (("build", "incremental"), None),
    (("build", "incremental"), False),
    (("build", "rustflags"), ["-C", "link-arg=-fuse-ld=lld", "-Zthreads=8"]),
    (("build", "rustflags"), ["-C", "codegen-units=16"]),
    (("build", "rustflags"), ["-Zthreads=2"]),
    (("build", "rustflags"), None),
    (("build", "target-dir"), "a\\b\"c'\n"),
    (("target", "cfg(unix)", "linker"), None),
    (("target", "x86_64-unknown-linux-gnu", "rustflags"), "-g"),
    (("target", "x86_64-unknown-linux-gnu", "runner", "path"), "b"),
    (("target", "x86_64-unknown-linux-gnu", "runner", "args"), None),
    (("target", "x86_64-unknown-linux-gnu", "runner", "args"), ["[build]"]),
    (("target", "x86_64-unknown-linux-gnu", "runner", "more"), True),
    (("target", "cfg(windows)", "linker"), "rust-lld"),
    (("profile", "release", "lto"), "thin"),
    (("profile", "release", "package", "*", "debug"), None),
    (("profile", "release", "package", "*", "strip"), "debuginfo"),
    (("profile", "release", "codegen-units"), 16),
    (("profile", "dev", "package", "*", "debug"), 1),
    (("profile", "dev", "package", "*", "opt-level"), 2),
    (("profile", "dev", "debug"), "line-tables-only"),
    (("profile", "test", "lto"), False),
    (("env", "A"), None),
    (("env", "A", "value"), "2"),
    (("env", "A", "relative"), False),
    (("env", "WHEN"), None),
    (("env", "N"), None),
    (("env", "TEXT"), "short"),
    (("term", "color"), "auto"),
]
CANNOT = {("env", "A")}


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize("has_end", [True, False])
@pytest.mark.parametrize(("key", "value"), CASES)
def test_one_key_changes_and_nothing_else(key: Path_, value: Any, eol: str, has_end: bool) -> None:
    text = RICH.replace("\n", eol) if has_end else RICH.rstrip("\n").replace("\n", eol)
    after = changed(text, key, value)
    if key in CANNOT and value is None:
        assert after is None
        return
    assert after is not None
    assert says(after, key, value, text)
    is_whole = key == ("build", "rustflags") and (value is None or len(value) == 1)
    kept = [line for line in text.split(eol) if line.lstrip().startswith("#") and not (is_whole and "end" in line)]
    assert len(kept) >= 1
    assert all(line in after for line in kept)
    assert eol == "\n" or "\n" not in after.replace("\r\n", "")


def test_what_stays_of_an_array_keeps_its_lines_and_comments() -> None:
    after = changed(RICH, ("build", "rustflags"), ["-C", "link-arg=-fuse-ld=lld", "-Zthreads=8"])
    assert after == RICH.replace('    "-C", "codegen-units=16",\n', "")


def test_the_comment_of_a_value_that_changes_stays() -> None:
    assert changed(RICH, ("build", "jobs"), 4) == RICH.replace("jobs = 8  ", "jobs = 4  ")


def test_a_key_that_is_added_stands_in_its_table_as_the_others_do() -> None:
    after = changed("[a]\n  x = 1 # one\n\n[b]\ny = 2\n", ("a", "z"), True)
    assert after == "[a]\n  x = 1 # one\n  z = true\n\n[b]\ny = 2\n"


def test_a_table_that_is_not_there_is_added_at_the_end() -> None:
    assert changed("x = 1", ("build", "jobs"), 2) == "x = 1\n\n[build]\njobs = 2\n"
    assert changed("", ("build", "jobs"), 2) == "[build]\njobs = 2\n"


def test_a_key_of_the_root_stands_before_all_tables() -> None:
    after = changed("[a]\nx = 1\n", ("include",), "b.toml")
    assert after is not None
    assert tomllib.loads(after) == {"include": "b.toml", "a": {"x": 1}}


@pytest.mark.parametrize(
    "text",
    ["[a", "a = 1\na = 2\n", "a = " + "[" * 4000 + "]" * 4000, "#" * MAX_CHARACTERS, "a = 1\n[[a.b]]\n",
     "\x00", "a = '''"],
)  # fmt: skip
def test_what_is_no_toml_is_left_alone(text: str) -> None:
    assert changed(text, ("build", "jobs"), 2) is None


@pytest.mark.parametrize("key", [(), ("build", "jobs", "deeper"), ("products", "jobs"), ("nothing",), ("no", "thing")])
def test_what_cannot_be_taken_away_is_left_alone(key: Path_) -> None:
    assert changed(RICH, key) is None


def test_a_value_that_no_setting_has_is_refused() -> None:
    assert changed(RICH, ("build", "jobs"), object()) is None


def random_text(chance: random.Random) -> str:
    """A file of tables, dotted keys, inline tables and arrays, with comments that look like all of them."""
    lines: list[str] = []
    used: set[str] = set()
    for name in chance.sample(["build", "target.a-b", 'target."cfg(x)"', "profile.dev", "env", "net"], k=4):
        if name in used:
            continue
        used.add(name)
        lines += ["# [build]", f"{chance.choice(['', '  '])}[{name}]{chance.choice(['', ' # x = 1'])}"]
        for key in chance.sample(["a", "b", "'c d'", "e.f", "e.g", '"h.i"', "j"], k=chance.randrange(6)):
            lines.append(f"{chance.choice(['', '  ', chr(9)])}{key} = {random_value(chance, 0)}{chance.choice(TAILS)}")
    return chance.choice(["\n", "\r\n"]).join(lines) + chance.choice(["", "\n"])


TAILS = ("", "  # a = 1", " #", "\t")
SCALARS = (
    "1",
    "true",
    '"#"',
    "'['",
    '"\\"]"',
    "1.5",
    "1979-05-27",
    "1979-05-27 07:32:00",
    '"""x\n] # \\""""',
    "'''y'''''",
    "inf",
)


def random_value(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    if depth > 2 or kind < 0.5:
        return chance.choice(SCALARS)
    if kind < 0.75:
        items = [random_value(chance, depth + 1) for _ in range(chance.randrange(4))]
        gap = chance.choice([", ", ",", ",\n   ", " , # c\n"])
        return "[" + chance.choice(["", " ", "\n"]) + gap.join(items) + chance.choice(["", "\n"]) + "]"
    names = chance.sample(["k", "l", '"m n"', "o.p"], k=chance.randrange(4))
    return "{ " + ", ".join(f"{name} = {random_value(chance, 3)}" for name in names) + " }"


def keys_of(table: dict[str, Any], above: Path_ = ()) -> Iterator[Path_]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from keys_of(value, (*above, name))
            yield (*above, name, "added")
        else:
            yield (*above, name)


def test_whatever_the_file_looks_like_only_that_key_differs() -> None:
    chance = random.Random(6)
    tried = failed = 0
    for _ in range(30):
        text = random_text(chance)
        table = tomllib.loads(text)
        for key in [*keys_of(table), ("build", "new"), ("quite", "new", "key")]:
            is_there = value_at(table, key) is not None
            for value in ([None] if is_there else []) + [False, "x", ["a", "b"]]:
                tried += 1
                after = changed(text, key, value)
                if after is None:
                    failed += 1
                    continue
                assert says(after, key, value, text), (text, key, value)
    assert tried > 500
    assert failed == 0


def test_an_array_loses_any_of_its_items() -> None:
    chance = random.Random(7)
    for _ in range(100):
        text = (
            f"[t]\nx = [{chance.choice(['', chr(10)])}"
            + ", # c\n".join(chance.choices(SCALARS, k=5))
            + "\n] # end\ny = 1\n"
        )
        items = tomllib.loads(text)["t"]["x"]
        kept = [item for item in items if chance.random() < 0.6]
        after = changed(text, ("t", "x"), [item for item in kept if isinstance(item, str)])
        assert after is not None
        assert says(after, ("t", "x"), [item for item in kept if isinstance(item, str)], text)


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["config.toml", ".cargo/my config.toml", "a/ü.toml"])
@pytest.mark.parametrize("tail", ["", "\n"])
@pytest.mark.parametrize("tool", ["patch -p1 --binary", "git apply --unidiff-zero --whitespace=nowarn"])
def test_patch_and_git_take_the_diff(tmp_path: Path, eol: str, name: str, tail: str, tool: str) -> None:
    text = RICH.rstrip("\n").replace("\n", eol) + tail.replace("\n", eol)
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    changes = [Change(str(file), ("build", "jobs"), 2, str(tmp_path)),
               Change(str(file), ("term", "color"), "never", str(tmp_path)),
               Change(str(file), ("build", "incremental"), None, str(tmp_path))]  # fmt: skip
    diff = diff_of(changes, lambda path: Path(path).read_bytes().decode())
    subprocess.run(tool.split(), cwd=tmp_path, input=diff.encode(), check=True, capture_output=True)
    wanted = with_key(tomllib.loads(text), ("build", "jobs"), 2)
    wanted = with_key(with_key(wanted, ("term", "color"), "never"), ("build", "incremental"), None)
    assert repr(sorted_deep(tomllib.loads(file.read_bytes().decode()))) == repr(sorted_deep(wanted))


def test_two_files_give_one_diff() -> None:
    texts = {"/a/x.toml": "[build]\njobs = 1\n", "/b/y.toml": "lto = true\n"}
    diff = diff_of([Change("/a/x.toml", ("build", "jobs")), Change("/b/y.toml", ("lto",), False)], texts.__getitem__)
    assert diff == (
        "--- a/x.toml\n+++ b/x.toml\n@@ -2 +1,0 @@ [build]\n-jobs = 1\n"
        "--- a/y.toml\n+++ b/y.toml\n@@ -1 +1 @@\n-lto = true\n+lto = false\n"
    )


def unreadable(path: str) -> str:
    raise PermissionError(path)


def no_text(path: str) -> str:
    return b"\xff".decode()


@pytest.mark.parametrize("read", [unreadable, no_text])
def test_a_file_that_cannot_be_read_gives_no_diff(read: Any) -> None:
    assert diff_of([Change("/a/x.toml", ("build", "jobs"))], read) == ""


def test_a_name_with_a_line_feed_is_quoted() -> None:
    assert unified("a = 1\n", "a = 2\n", 'x\n"y').startswith('--- "a/x\\012\\042y"\n+++ "b/x\\012\\042y"\n')


def test_nothing_differs_where_nothing_changed() -> None:
    assert unified("a\r\n", "a\r\n", "x") == ""


SECRET = "planted"
BESIDE = {
    "above": '[registry]\ntoken = "planted"\n[build]\nincremental = true\n',
    "below": '[build]\nincremental = true\n[registry]\ntoken = "planted"\n',
    "in the same table": '[build]\ntoken = "planted"\nincremental = true\nSECRET = "planted"\n',
    "a table of [env]": '[env]\nMY_TOKEN = { value = "planted" }\n[build]\nincremental = true\n',
    "a number": "[env]\nMY_PASSWORD = 7123456\n[build]\nincremental = true\n[registry]\ntoken = 7123456\n",
    "a URL": '[build]\n# x\nrustc = "https://u:planted@h/x"\nincremental = true\n[a]\nx = "https://u:planted@h"\n',
    "rustflags": '[build]\nrustflags = ["-Clink-arg=SECRET_KEY=planted"]\nincremental = true\n',
    "a comment": "[build]\n# login with planted\nincremental = true\n# planted\n",
    "a comment of the header": "[build] # planted\n\nincremental = true\n",
    "several lines": '[registry]\ntoken = """\nplanted"""\n[build]\nincremental = true\n',
    "many lines": "[build]\n" + "# planted\n\n" * 3000 + "incremental = true\n" + "# planted\n\n" * 3000,
}


@pytest.mark.parametrize("value", [None, False])
@pytest.mark.parametrize("text", BESIDE.values(), ids=BESIDE)
def test_a_diff_shows_nothing_but_what_changes(text: str, value: Any, tmp_path: Path) -> None:
    diff = diff_of([Change("/a/x.toml", ("build", "incremental"), value)], lambda _: text)
    assert "\n-incremental = true\n" in diff
    assert " @@ [build]\n" in diff
    assert "planted" not in diff
    assert "7123456" not in diff
    (tmp_path / "x.toml").write_text(text)
    subprocess.run(["patch", "-p1"], cwd=tmp_path, input=diff.encode(), check=True, capture_output=True)
    assert says((tmp_path / "x.toml").read_text(), ("build", "incremental"), value, text)


@pytest.mark.parametrize(("text", "key", "value"), [
    ('[env]\nCARGO_REGISTRY_TOKEN = "planted"\n', ("env", "CARGO_REGISTRY_TOKEN"), None),
    ('[env.MY_TOKEN]\nvalue = "planted"\nforce = true\n', ("env", "MY_TOKEN", "value"), "x"),
    ('[registries]\na = { token = 7123456, x = 1 }\n', ("registries", "a", "x"), 2),
    ('env = { MY_TOKEN = "planted", X = "1" }\n', ("env", "X"), None),
    ('[env]\nX = "1" # PASSWORD=planted\n', ("env", "X"), None),
    ('[build]\nrustflags = ["-Cx", "-Clink-arg=SECRET_KEY=planted"]\n', ("build", "rustflags"), ["-Cx"]),
    ('[build]\nrustflags = ["-Cx", "-Clink-arg=https://u:planted@h"]\n', ("build", "rustflags"), None),
    ("[a]\nx = 1\n# planted", ("b", "x"), 1),
    ('[build]\nrustflags = ["-Clink-arg=SECRET_KEY=planted", "-g"]\n', ("build", "rustflags"), ["SECRET_KEY=***"]),
])  # fmt: skip
def test_there_is_no_diff_where_a_credential_would_be_in_it_but_words(text: str, key: Path_, value: Any) -> None:
    assert changed(text, key, value) is not None
    assert diff_of([Change("/a/x.toml", key, value)], lambda _: text) == ""


def test_changes_are_said_in_words() -> None:
    changes = [Change("/w/c.toml", ("build", "incremental")), Change("/w/c.toml", ("profile", "a b", "lto"), "thin"),
               Change("/w/c.toml", ("x",), ["-C", "y"])]  # fmt: skip
    assert list(said_of(changes)) == [
        "in /w/c.toml: [build] incremental goes away", 'in /w/c.toml: [profile."a b"] lto becomes "thin"',
        'in /w/c.toml: x becomes ["-C", "y"]',
    ]  # fmt: skip
