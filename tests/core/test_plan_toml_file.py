"""TOML files with lines, kept parsed; hostile ones say a sentence and cost little."""

import json
import os
from pathlib import Path

import pytest

from core.plan.given import Given, Origin
from core.plan.toml_file import MAX_BYTES, read_leaves
from core.plan.toml_lines import MAX_DEPTH, find_lines
from tests.real.product import until

TEXT = '''\
top = 1 # [no]
[table]
"quoted.key" = """
[not.a.table]
key = 1 \\""" still """""
'literal'.dotted . "third" = [ # comment ]
  "[x]", { inner = 1 },
  [1, 2],
]
inline = { a = 1, b.c = { d = 2 } }
after = '''
TEXT += """'''
x = 2''' # it's
[[many]]
name = 1
[[many]]
name = 2
[ spaced . "x y" ]
when = 1979-05-27 07:32:00
"""


def write(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_lines_are_those_on_which_keys_stand(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", TEXT)
    leaves = read_leaves("", path).leaves
    assert {key: given.origin.line for key, given in leaves.items()} == {
        ("top",): 1,
        ("table", "quoted.key"): 3,
        ("table", "literal", "dotted", "third"): 6,
        ("table", "inline", "a"): 10,
        ("table", "inline", "b", "c", "d"): 10,
        ("table", "after"): 11,
        ("many",): 13,
        ("spaced", "x y", "when"): 18,
    }
    assert leaves["many",].value == [{"name": 1}, {"name": 2}]
    assert leaves["spaced", "x y", "when"] == Given("1979-05-27 07:32:00", Origin(path, 18))


def test_a_text_that_is_cut_anywhere_raises_nothing() -> None:
    whole = find_lines(TEXT).lines
    for end in range(len(TEXT)):
        lines = find_lines(TEXT[:end])
        assert lines.too_deep == 0
        assert all(whole.get(key, line) == line for key, line in lines.lines.items())


def test_toml_of_1_1_is_read_with_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", '\ufeffa = {\r\n  b = 1, # c\r\n  d = { e = "\\e\\x41", },\r\n}\r\nf = 1\r\n')
    file = read_leaves("", path)
    assert file.troubles == ()
    assert [(key, given.value, given.origin.line) for key, given in file.leaves.items()] == [
        (("a", "b"), 1, 2),
        (("a", "d", "e"), "\x1bA", 3),
        (("f",), 1, 5),
    ]


def test_no_file_is_no_trouble(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    assert read_leaves("", str(tmp_path / "no")) == ({}, ())
    assert read_leaves("", str(tmp_path / "file/no")) == ({}, ())


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    cases: dict[str | Path, tuple[int, str]] = {
        tmp_path: (0, "it is no file"),
        tmp_path / "loop": (0, "symbolic links"),
        "/nul\0": (0, "null"),
        write(tmp_path / "latin", b"a = 1\nb = '\xff'"): (2, "not UTF-8"),
        write(tmp_path / "big", b"#" * (MAX_BYTES + 1)): (0, "more than 1 MB"),
        write(tmp_path / "broken", 'a = 1\nb = \nc = "'): (2, "not TOML"),
        write(tmp_path / "open", 'a = 1\nb = "x'): (2, "not TOML"),
        write(tmp_path / "twice", "a = 1\n\na = 2"): (3, "not TOML"),
        write(tmp_path / "control", "a = 1\nb = '\x1b[2J'"): (2, "not TOML"),
    }
    for path, (line, why) in cases.items():
        (trouble,) = read_leaves(str(tmp_path / "kept"), str(path)).troubles
        assert (trouble.origin, why in trouble.why) == (Origin(str(path), line), True), trouble
        assert "\x1b" not in trouble.sentence


@pytest.mark.parametrize(
    "text",
    ["\nx = " + "[" * 50_000, "\nx = " + "{a=" * 50_000, "\n" + "a." * 200_000 + "a = 1", "\n[" + "a." * 200_000 + "a]",
     "\nx = " + "[" * 300 + "]" * 300],
)  # fmt: skip
def test_what_is_nested_too_deep_is_a_trouble_and_costs_little(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "deep.toml", text)
    (trouble,) = read_leaves("", path).troubles
    assert (trouble.origin, f"{MAX_DEPTH} levels" in trouble.why) == (Origin(path, 2), True)


def test_only_one_table_is_taken_where_one_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "Cargo.toml", "[package]\nname = 'a'\n[profile.dev]\ndebug = 1\n")
    assert list(read_leaves("", path, "profile").leaves) == [("profile", "dev", "debug")]
    assert read_leaves("", write(tmp_path / "no.toml", "not TOML"), "profile") == ({}, ())


def old_file(folder: Path, text: str) -> str:
    """One that was written long enough ago to be kept."""
    path = write(folder / "config.toml", text)
    probe = folder / "probe"
    until(lambda: probe.write_text("") == 0 and probe.stat().st_mtime_ns > os.stat(path).st_ctime_ns + 10**8, 5, "time")
    return path


def kept_files(cache: Path) -> list[Path]:
    return sorted((cache / "toml").iterdir()) if (cache / "toml").is_dir() else []


def test_a_kept_file_is_read_without_its_text(tmp_path: Path) -> None:
    path = old_file(tmp_path, "a = 1\nb = [1, { c = 2 }]\n")
    cache = tmp_path / "cache"
    first = read_leaves(str(cache), path)
    (kept,) = kept_files(cache)
    assert read_leaves(str(cache), path) == first
    kept.write_text(kept.read_text().replace('[["a"], 1, 1]', '[["a"], 7, 1]'))
    assert read_leaves(str(cache), path).leaves["a",].value == 7


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = old_file(tmp_path, "a = 1\n")
    cache = tmp_path / "cache"
    read_leaves(str(cache), path)
    stat = os.stat(path)
    write(Path(path), "a = 2\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read_leaves(str(cache), path).leaves["a",].value == 2


def test_a_file_that_was_just_written_is_not_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", "a = 1\n")
    read_leaves(str(tmp_path / "cache"), path)
    assert kept_files(tmp_path / "cache") == []


@pytest.mark.parametrize(
    "spoiled",
    ["", "{", "[]", "null", '{"head": 1}', "[" * 100_000, '"a": 1', "HEAD, \"leaves\": [1], \"troubles\": []}",
     'HEAD, "leaves": [[[1], 1, 1]], "troubles": []}', 'HEAD, "leaves": [[[], 1, 1]], "troubles": []}',
     'HEAD, "leaves": [[["a"], 1, "x"]], "troubles": []}', 'HEAD, "leaves": {}, "troubles": [1]}'],
)  # fmt: skip
def test_a_spoiled_kept_file_costs_time_alone(spoiled: str, tmp_path: Path) -> None:
    path = old_file(tmp_path, "a = 1\n")
    cache = tmp_path / "cache"
    right = read_leaves(str(cache), path)
    (kept,) = kept_files(cache)
    head = json.dumps({"head": json.loads(kept.read_text())["head"]})[:-1]
    kept.write_text(spoiled.replace("HEAD", head))
    assert read_leaves(str(cache), path) == right


def test_credentials_are_written_nowhere(tmp_path: Path) -> None:
    text = "[registries.mine]\ntoken = 'SECRETSECRET'\nindex = 'sparse+https://x/'\n[env]\nMY_KEY = 'SECRETSECRET'\n"
    cache = tmp_path / "cache"
    leaves = read_leaves(str(cache), old_file(tmp_path / "one", text)).leaves
    assert leaves["registries", "mine", "token"].value == leaves["env", "MY_KEY"].value == "***"
    inside = "[alias]\np = 'publish --token SECRETSECRET'\n[source.x]\nregistry = 'https://u:SECRETSECRET@h/'\n"
    assert (
        read_leaves(str(cache), old_file(tmp_path / "two", inside)).leaves["alias", "p"].value.endswith("SECRETSECRET")
    )
    assert len(kept_files(cache)) == 1
    assert all("SECRETSECRET" not in path.read_text() for path in kept_files(cache))


def test_a_folder_in_which_nothing_can_be_kept_changes_nothing(tmp_path: Path) -> None:
    path = old_file(tmp_path, "a = 1\n")
    blocked = write(tmp_path / "blocked", "")
    assert read_leaves(blocked, path) == read_leaves("", path)
    assert read_leaves("", path).leaves["a",].value == 1


def test_a_pipe_does_not_hold_up_whether_somebody_writes_into_it_or_not(tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    said = [read_leaves("", path)]
    writer = os.open(path, os.O_RDWR)
    said.append(read_leaves("", path))
    os.close(writer)
    assert [(one.leaves, "it is no file" in one.troubles[0].why) for one in said] == [({}, True)] * 2
