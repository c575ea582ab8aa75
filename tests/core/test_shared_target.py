"""Units in a target dir that two checkouts share: whose sources they were made of, and who gets the wrong ones."""

import json
import os
from pathlib import Path

import pytest

from core.watch.shared_mend import mends, settings_of
from core.watch.shared_target import Proof, prove

MADE_AT = 1_700_000_000.0
MANIFEST = '[package]\nname = "app"\nversion = "0.1.0"\n'


class World:
    """Checkouts and one target dir, all below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "t"
        self.checkouts: list[str] = []

    def checkout(self, name: str, main: str, *, age_s: float = 100.0, manifest: str = MANIFEST) -> Path:
        root = self.folder / name
        self.write(root / "app/Cargo.toml", manifest, age_s)
        self.write(root / "app/src/main.rs", main, age_s)
        self.write(root / "Cargo.toml", '[workspace]\nmembers = ["app"]\n', age_s)
        self.checkouts.append(str(root))
        return root

    def write(self, path: Path, text: str, age_s: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (MADE_AT - age_s, MADE_AT - age_s))

    def unit(
        self, name: str = "app", kind: str = "bin", sources: tuple[str, ...] = ("app/src/main.rs",), *,
        key: str = "0123456789abcdef", made_in: str = "", needs: tuple[int, ...] = (), print_: int = 1,
        checksum: bool = False,
    ) -> None:  # fmt: skip
        deps, found = self.target / "debug/deps", self.target / f"debug/.fingerprint/{name}-{key}"
        for folder in (deps, found):
            folder.mkdir(parents=True, exist_ok=True)
        made = deps / (f"{name}-{key}" if kind == "bin" else f"lib{name}-{key}.rlib")
        made.write_bytes(b"\0" + made_in.encode() + b"\0")
        (deps / f"{name}-{key}.d").write_text(f"{made}: {' '.join(sources)}\n\n{sources[0]}:\n")
        local = [{"CheckDepInfo": {"dep_info": "x", "checksum": checksum}}]
        record = {"deps": [[1, "x", False, need] for need in needs], "local": local}
        (found / f"{kind}-{name}.json").write_text(json.dumps(record))
        (found / f"{kind}-{name}").write_text(print_.to_bytes(8, "little").hex())
        dep = found / f"dep-{kind}-{name}"
        dep.touch()
        os.utime(dep, (MADE_AT, MADE_AT))

    def prove(self) -> Proof:
        return prove(str(self.target), self.checkouts)

    def verdicts(self) -> list[str]:
        (made,) = self.prove().made
        return [one.verdict for one in made.judged]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_who_finds_another_ones_program_fresh_gets_the_wrong_one(world: World) -> None:
    first = world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }")
    world.unit(made_in=str(first))
    proof = world.prove()
    assert proof.is_harmful
    (made,) = proof.made
    assert (made.package, made.target, made.profile, made.made_of) == ("app", "bin-app", "debug", str(first))
    assert [(one.verdict, one.differs) for one in made.judged] == [("own", ()), ("wrong", ("app/src/main.rs",))]


def test_equal_sources_do_no_harm(world: World) -> None:
    first = world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() {}")
    world.unit(made_in=str(first))
    assert world.verdicts() == ["own", "same"]
    assert not world.prove().is_harmful


def test_what_is_newer_is_compiled_anew(world: World) -> None:
    first = world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }", age_s=-1.0)
    world.unit(made_in=str(first))
    assert world.verdicts() == ["own", "anew"]


def test_without_debug_information_one_of_the_two_gets_the_wrong_one(world: World) -> None:
    world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }")
    world.unit()
    assert world.verdicts() == ["either", "either"]
    assert world.prove().is_harmful


def test_nothing_is_claimed_where_what_was_compiled_is_there_no_more(world: World) -> None:
    first = world.checkout("a", "fn main() { edited() }", age_s=-5.0)
    world.checkout("b", "fn main() { other() }")
    world.unit(made_in=str(first))
    assert world.verdicts() == ["own", "perhaps"]


def test_nothing_is_claimed_where_manifests_differ(world: World) -> None:
    first = world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }", manifest=MANIFEST + "\n[features]\nmore = []\n")
    world.unit(made_in=str(first))
    assert world.verdicts() == ["own", "perhaps"]


def test_workspaces_of_other_packages_only_wait_for_each_other(world: World) -> None:
    world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }", manifest=MANIFEST.replace("app", "another"))
    world.unit()
    assert world.prove().made == ()


def test_a_library_that_differs_makes_the_program_wrong_too(world: World) -> None:
    for name, body in (("a", "1"), ("b", "2")):
        root = world.checkout(name, "fn main() {}")
        world.write(root / "mid/Cargo.toml", MANIFEST.replace("app", "mid"), 100.0)
        world.write(root / "mid/src/lib.rs", body, 100.0)
    world.unit("mid", "lib", ("mid/src/lib.rs",), made_in=world.checkouts[0], print_=77)
    world.unit(made_in=world.checkouts[0], needs=(77,))
    found = {made.package: made.judged[1] for made in world.prove().made}
    assert {name: (one.verdict, one.differs) for name, one in found.items()} == {
        "app": ("wrong", ("mid/src/lib.rs",)), "mid": ("wrong", ("mid/src/lib.rs",)),
    }  # fmt: skip
    world.write(world.folder / "b/mid/src/lib.rs", "2", -1.0)
    assert {one.package: one.judged[1].verdict for one in world.prove().made} == {"app": "anew", "mid": "anew"}


def test_what_cargo_compares_by_content_is_left_out(world: World) -> None:
    world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }")
    world.unit(checksum=True)
    assert world.prove().made == ()


def test_a_dir_that_cannot_be_read_holds_nothing(world: World) -> None:
    assert prove(str(world.folder / "nothing"), ("/a", "/b")) == Proof(str(world.folder / "nothing"), ("/a", "/b"), ())


def test_the_mend_names_the_line_that_sets_the_dir(world: World) -> None:
    first = world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }")
    world.unit(made_in=str(first))
    world.write(first / ".cargo/config.toml", '[build]\ntarget-dir = "../t" # for all\n', 0.0)
    found = settings_of(str(world.target), world.checkouts, {}, str(world.folder / "home"))
    assert [(one.file, one.line) for one in found] == [(str(first / ".cargo/config.toml"), 2)]
    said = mends(world.prove(), found, {})
    assert said[0] == f'Remove line 2 of {first}/.cargo/config.toml: target-dir = "../t" # for all'
    assert f"cd {first} && cargo build --target-dir target" in said[1]
    assert said[2] == f"To build what is meant once: touch {world.folder}/b/app/src/main.rs"


def test_the_mend_names_the_variable_that_sets_the_dir(world: World) -> None:
    world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() {}")
    said = mends(world.prove(), (), {"CARGO_TARGET_DIR": str(world.target)})
    assert said[0] == "Unset CARGO_TARGET_DIR where builds are started; here: unset CARGO_TARGET_DIR"
    assert "CARGO_TARGET_DIR or --target-dir" in mends(world.prove(), (), {})[0]
    assert not any("touch" in one for one in said)
