"""A build script with other `rerun-if-changed` lines: what is found in it, where lines go, and the diff."""

import random
import subprocess
from pathlib import Path

import pytest

from core.native.staleness.build_script_mend import changed, printed, unified

SCRIPT = """use std::process::Command;
// fn main() { println!("cargo:rerun-if-changed=comment"); }
/* /* fn main() { */ */
fn helper() { println!("cargo:rerun-if-changed=elsewhere"); }
fn main() -> std::io::Result<()> {
    let (open, name): (char, &'static str) = ('{', r#"fn main() { "# );
    println!("cargo:rerun-if-changed=k.cu"); // the kernel
    for file in ["a", "b"] {
        println!("cargo:rerun-if-changed=in a loop");
        println!("cargo:rerun-if-changed={}", file);
    }
    println!(
        "cargo:rerun-if-changed=ker{{n}}els/*.cu",
    );
    println!("cargo:rerun-if-env-changed=X");
    Ok(())
}
"""


def test_literal_directives_are_found_with_line_and_place() -> None:
    assert [(one.path, one.line, one.is_plain) for one in printed(SCRIPT)] == [
        ("elsewhere", 4, False), ("k.cu", 7, True), ("in a loop", 9, False), ("ker{n}els/*.cu", 12, True),
    ]  # fmt: skip


def test_lines_go_behind_the_last_directive_of_main_with_its_indent() -> None:
    after = changed(SCRIPT, ["inc/a.cuh", 'odd"{}\\.cuh'])
    assert after is not None
    lines = after.split("\n")
    assert lines[14:16] == [
        '    println!("cargo:rerun-if-changed=inc/a.cuh");',
        '    println!("cargo:rerun-if-changed=odd\\"{{}}\\\\.cuh");',
    ]
    assert [one.path for one in printed(after)][-2:] == ["inc/a.cuh", 'odd"{}\\.cuh']
    assert after.replace("\n".join(lines[14:16]) + "\n", "") == SCRIPT


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("fn main() {\n    run();\n}\n", 'fn main() {\n    P("a");\n    run();\n}\n'),
        ("fn main()\n{\n  run();\n}\n", 'fn main()\n{\n    P("a");\n  run();\n}\n'),
        ("fn main(){ run(); }\n", 'fn main(){\n    P("a");\n    run(); }\n'),
        ("fn main() {}", 'fn main() {\n    P("a");\n}'),
        ("mod x {\n    pub fn main() {\n    }\n}\n", 'mod x {\n    pub fn main() {\n        P("a");\n    }\n}\n'),
        ('fn main() { P("k"); run(); }\n', 'fn main() { P("k");\nP("a"); run(); }\n'),
    ],
)
def test_without_a_directive_they_are_the_first_statements_of_main(before: str, after: str) -> None:
    def whole(text: str) -> str:
        return text.replace('P("', 'println!("cargo:rerun-if-changed=')

    assert changed(whole(before), ["a"]) == whole(after)


def test_two_colons_are_kept_where_the_script_has_them() -> None:
    script = 'fn main() {\n    println!("cargo::rerun-if-changed=k.cu");\n}\n'
    assert '    println!("cargo::rerun-if-changed=a.cuh");\n' in (changed(script, ["a.cuh"]) or "")


def test_what_is_declared_no_more_goes_with_its_line_wherever_it_stands() -> None:
    after = changed(SCRIPT, ["kernels"], ["elsewhere", "ker{n}els/*.cu", "in a loop"])
    assert after is not None
    assert [one.path for one in printed(after)] == ["k.cu", "kernels"]
    assert "fn helper() {}" in after.replace("{ }", "{}").replace("{  }", "{}")
    assert after.count("\n") == SCRIPT.count("\n") - 3
    assert changed(SCRIPT, [], ["not there"]) is None
    assert changed(SCRIPT, [], []) == SCRIPT


def test_of_several_mains_the_one_that_declares_gets_the_lines() -> None:
    idle = '#[cfg(feature = "off")]\nfn main() {\n}\n'
    busy = 'fn main() {\n    println!("cargo:rerun-if-changed={}", "x");\n}\n'
    assert changed(idle + busy, ["a"]) == (idle + busy).replace(
        'fn main() {\n    println', 'fn main() {\n    println!("cargo:rerun-if-changed=a");\n    println'
    )  # fmt: skip
    assert changed(idle + idle, ["a"]) is None
    assert changed(busy + busy, ["a"]) is None


def test_what_cannot_be_said_in_a_line_is_refused() -> None:
    for path in ("", " a", "a\nb", "a\0", "\udcff.cu"):
        assert changed(SCRIPT, [path]) is None
    assert changed("macro_rules! main { () => {} }", ["a"]) is None
    assert changed("fn main() { // never closed", ["a"]) is None
    assert changed("fn main() {}\n" + " " * (1 << 20), ["a"]) is None


@pytest.mark.parametrize("end", ["\n", ""])
def test_patch_makes_of_the_script_what_the_diff_says(tmp_path: Path, end: str) -> None:
    before = SCRIPT.rstrip("\n") + end
    after = changed(before, ["a.cuh", "b.cuh"], ["k.cu"])
    assert after is not None
    diff = unified(before, after, "app/build.rs")
    assert "let (open" not in diff, "no line that stays"
    (tmp_path / "app").mkdir()
    (tmp_path / "app/build.rs").write_text(before)
    subprocess.run(["git", "apply", "--unidiff-zero", "-"], cwd=tmp_path, input=diff, text=True, check=True)
    assert (tmp_path / "app/build.rs").read_text() == after
    assert unified(before, before, "x") == ""


@pytest.mark.parametrize("seed", range(60))
def test_torn_scripts_neither_raise_nor_lose_other_text(seed: int) -> None:
    chance = random.Random(seed)
    start = chance.randrange(len(SCRIPT) // 2)
    text = SCRIPT[start : start + chance.randrange(len(SCRIPT))]
    for _ in range(5):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(["{", "}", '"', "'", "/*", "*/", 'r#"', "\\", ");", "fn main() {"]) + text[at:]
    printed(text)
    after = changed(text, ["new.cuh"])
    if after is not None:
        line = 'println!("cargo:rerun-if-changed=new.cuh");'
        colons = line.replace("cargo:", "cargo::")
        assert "".join(after.replace(line, "").replace(colons, "").split()) == "".join(text.split())


def test_what_is_declared_already_is_not_declared_once_more() -> None:
    once = changed(SCRIPT, ["inc/a.cuh", "inc/a.cuh", "k.cu"])
    assert once is not None
    assert [one.path for one in printed(once)].count("inc/a.cuh") == 1
    assert [one.path for one in printed(once)].count("k.cu") == 1
    assert changed(once, ["inc/a.cuh"]) == once
    assert "in a loop" in [one.path for one in printed(changed(SCRIPT, ["in a loop"]) or "") if one.is_plain]
