"""What the plan's measurement makes of builds: ratios, verdicts, table; and that its edits and figures are real."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.plan_machine import Machine, look, note, noted
from bench.plan_native import SUBJECTS as NATIVE
from bench.plan_native import Planned, is_filled, native_families, planned, store_of
from bench.plan_settings import (
    AGAIN,
    PLAIN,
    Arm,
    Family,
    done_rounds,
    families,
    missing,
    mode_families,
    profile,
    rustflags,
)
from bench.plan_table import Part, Ratio, by_round, data, judged, noise, page, ratio, settings, table
from bench.plan_world import SUBJECTS, Edit, read_link_peak, size_bytes, without_tables

_FAMILY = Family("made", "ripgrep", "dev", (Arm(PLAIN), Arm(AGAIN), Arm("debug=none")), situations=("clean", "edit"))

_HERE = Machine(2, "2026-01-01", {"rustc": "rustc 1.95.0", "mold": "not there"})
_GPU = Machine(16, "2026-01-02", {"nvcc": "release 13.0"}, "NVIDIA H200")


def _ratio(low: float, middle: float, high: float) -> Ratio:
    return Ratio(middle, low, high, 1.0, middle, 9)


def _records(situation: str, factor: float, rounds: int = 6) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(rounds):
        for arm, times in ((PLAIN, 1.0), (AGAIN, 1.0 + (number % 3 - 1) / 1000), ("debug=none", factor)):
            wall_s = 10.0 * times * (1 + number)
            found.append({
                "family": "made", "situation": situation, "round": number, "arm": arm, "wall_s": wall_s,
                "cpu_s": wall_s * 1.5, "peak_bytes": 100, "link_bytes": 80 * times, "at_once_bytes": 0, "code": 0,
            })  # fmt: skip
            if situation == "clean":
                found[-1] |= {"size_bytes": int(1000 * times), "program_bytes": 10}
    return found


def test_a_ratio_is_of_builds_of_the_same_round_however_rounds_differ() -> None:
    found = ratio([(1.0, 0.5), (10.0, 5.0), (100.0, 50.0)])
    assert found == Ratio(0.5, 0.5, 0.5, 10.0, 5.0, 3)


def test_one_build_alone_proves_nothing() -> None:
    found = ratio([(1.0, 0.5)])
    assert found is not None
    assert (found.low, found.high) == (0.0, 9.99)
    assert judged(found, _ratio(0.99, 1.0, 1.01)) == 0


def test_one_build_proves_a_size() -> None:
    (small,) = settings([_FAMILY._replace(situations=("clean",))], _records("clean", 0.5, rounds=1))
    assert small.words == "**no gain shown**; target dir ×0.50"


def test_a_figure_that_was_never_taken_has_no_ratio() -> None:
    assert ratio([(0.0, 0.0), (0.0, 1.0)]) is None


def test_a_gain_is_one_only_where_it_lies_below_all_of_the_noise() -> None:
    quiet, noisy = _ratio(0.99, 1.0, 1.01), _ratio(0.8, 1.0, 1.3)
    assert judged(_ratio(0.85, 0.9, 0.95), quiet) == -1
    assert judged(_ratio(0.85, 0.9, 0.95), noisy) == 0
    assert judged(_ratio(0.95, 0.96, 0.98), quiet) == 0
    assert judged(_ratio(1.05, 1.1, 1.2), quiet) == 1
    assert judged(_ratio(1.05, 1.1, 1.2), noisy) == 0


def test_noise_in_one_direction_speaks_against_gains_in_both() -> None:
    control = _ratio(0.8, 0.85, 0.9)
    assert round(noise(control), 2) == 0.25
    assert judged(_ratio(1.1, 1.15, 1.2), control) == 0
    assert judged(_ratio(1.3, 1.4, 1.5), control) == 1
    assert noise(_ratio(1.0, 1.0, 1.0)) == 0


def test_a_setting_earns_its_place_by_being_faster_somewhere_and_slower_nowhere() -> None:
    good, mixed, idle = (
        settings([_FAMILY], [*_records("clean", clean), *_records("edit", edit)])[0]
        for clean, edit in ((0.8, 1.0), (0.8, 1.2), (1.0, 1.0))
    )
    assert (good.earns, mixed.earns, idle.earns) == (True, False, False)
    assert good.words == "**earns its place**; faster: clean; largest linker ×0.80; target dir ×0.80"
    assert mixed.words.startswith("**gains and costs**; faster: clean; slower: edit")
    assert idle.words == "**no gain shown**"


def test_a_setting_for_memory_earns_its_place_by_memory_alone() -> None:
    family = _FAMILY._replace(aims=("link_bytes",), situations=("clean",), may_cost=True)
    large, idle = (settings([family], _records("clean", factor))[0] for factor in (1.2, 1.0))
    assert (large.earns, idle.earns) == (False, False)
    records = [{**one, "wall_s": float(str(one["wall_s"])) * (2 if one["arm"] == "debug=none" else 1)}
               for one in _records("clean", 0.8)]  # fmt: skip
    (small,) = settings([family], records)
    assert small.earns
    assert not settings([family._replace(may_cost=False)], records)[0].earns
    assert small.words.startswith("**earns its place**; slower: clean; largest linker ×0.80")


def test_wall_time_decides_where_its_control_is_quiet_and_cpu_time_elsewhere() -> None:
    records = _records("edit", 0.8)
    (quiet,) = settings([_FAMILY], records)[0].rows
    for one in records:
        if one["arm"] == AGAIN:
            one["wall_s"] = float(str(one["wall_s"])) * (0.7 if int(str(one["round"])) % 2 else 1.5)
    (noisy,) = settings([_FAMILY], records)[0].rows
    assert (quiet.decides, noisy.decides) == ("wall", "cpu")
    assert (quiet.verdict, noisy.verdict) == (-1, -1)
    renamed = [{**one, "arm": one["arm"].replace("debug=none", "debug=none + jobs=1")} for one in records]
    family = _FAMILY._replace(arms=(Arm(PLAIN), Arm(AGAIN), Arm("debug=none + jobs=1")))
    (less_at_once,) = settings([family], renamed)[0].rows
    assert less_at_once.decides == "wall"


def test_a_round_that_was_broken_off_counts_with_what_it_has() -> None:
    records = _records("edit", 0.5, rounds=3)[:-1]
    assert [len(arms) for arms in by_round(records).values()] == [3, 3, 2]
    (row,) = settings([_FAMILY], records)[0].rows
    assert (row.figures["wall_s"].builds, row.controls["wall_s"].builds) == (2, 3)
    assert done_rounds(records, _FAMILY, "edit") == 2
    assert missing(records, _FAMILY, "edit", 2) == [Arm("debug=none")]
    assert done_rounds(records, _FAMILY, "clean") == 0


def test_the_linkers_are_compared_with_both_that_machines_have() -> None:
    family = next(one for one in families("x86_64-unknown-linux-gnu", has_cranelift=False) if one.name == "dev-linker")
    assert family.pairs == (
        ("linker=mold", PLAIN, AGAIN),
        ("linker=lld", PLAIN, AGAIN),
        ("linker=bfd", PLAIN, AGAIN),
        (PLAIN, "linker=bfd", "linker=bfd again"),
        ("linker=mold", "linker=bfd", "linker=bfd again"),
        ("linker=lld", "linker=bfd", "linker=bfd again"),
    )


def test_cranelift_is_built_with_only_where_the_toolchain_has_it() -> None:
    with_it, without = (
        {arm.name for family in families("h", has_cranelift=has) for arm in family.arms} for has in (True, False)
    )
    assert with_it - without == {"backend=cranelift"}


def test_every_family_builds_plain_twice_and_knows_its_workspace() -> None:
    known = (*families("h", has_cranelift=True), *mode_families(lambda _, mode: ("--config", mode)))
    for family in known:
        assert [arm.name for arm in family.arms[:2]] == [PLAIN, AGAIN]
        assert not family.arms[0].flags
        assert not family.arms[1].flags
        assert family.subject in SUBJECTS
    assert len({family.name for family in known}) == len(known)


def test_settings_are_given_as_flags() -> None:
    assert profile("dev", deps__debug="false", build__opt_level="1") == (
        "--config", 'profile.dev.package."*".debug=false', "--config", "profile.dev.build-override.opt-level=1",
    )  # fmt: skip
    assert rustflags("h", "-Zx", "-Zy") == ("--config", 'target.h.rustflags=["-Zx", "-Zy"]')


def test_the_table_has_a_line_a_situation_and_the_data_the_same_figures() -> None:
    found = settings([_FAMILY], [*_records("clean", 0.8), *_records("edit", 0.5)])
    lines = [line for line in table(found).splitlines() if line.startswith("| `debug=none`")]
    assert [line.split("|")[3].strip() for line in lines] == ["clean", "edit"]
    assert all("**faster**" in line for line in lines)
    entry = data([Part(_HERE, found)], {"cores": 2})["settings"]["debug=none"]
    assert (entry["profile"], entry["earns"], entry["size"], entry["link_peak"]) == ("dev", True, 0.8, 0.8)
    assert (entry["clean"]["cpu"], entry["edit"]["wall"], entry["edit"]["verdict"]) == (0.8, 0.5, "faster")
    assert abs(entry["edit"]["with_s"] - entry["edit"]["without_s"] * 0.5) < 0.01
    text = page([Part(_HERE, found)], SUBJECTS.values())
    assert "## On 2 cores\n\n2026-01-01. rustc: rustc 1.95.0.\n" in text
    assert "ripgrep-15.2.0" in text


def test_what_only_another_machine_measured_is_noted_with_what_it_has() -> None:
    mode, setting = (_FAMILY._replace(arms=(Arm(PLAIN), Arm(AGAIN), Arm(name))) for name in ("mode=dev", "jobs=1"))
    renamed = [{**one, "arm": one["arm"].replace("debug=none", "mode=dev")} for one in _records("clean", 0.8)]
    added = [{**one, "arm": one["arm"].replace("debug=none", "jobs=1")} for one in _records("clean", 0.5)]
    here = Part(_HERE, [*settings([_FAMILY], _records("clean", 0.8)), *settings([mode], renamed)])
    other = [{**one, "arm": one["arm"].replace("debug=none", "mode=dev")} for one in _records("clean", 0.1)]
    there = Part(_GPU, [*settings([_FAMILY], _records("clean", 0.1)), *settings([mode], other),
                        *settings([setting], added)])  # fmt: skip
    made = data([here, there], {"cores": 2})
    assert (made["settings"]["debug=none"]["size"], made["modes"]["dev"]["ripgrep"]["size"]) == (0.8, 0.8)
    assert (made["settings"]["jobs=1"]["cores"], made["settings"]["jobs=1"]["gpu"]) == (16, "NVIDIA H200")
    assert "cores" not in made["settings"]["debug=none"]
    assert "## On 16 cores, NVIDIA H200\n" in page([here, there], SUBJECTS.values())


def test_some_arms_are_built_with_what_they_are_compared_with() -> None:
    family = next(one for one in families("x86_64-unknown-linux-gnu", has_cranelift=False) if one.name == "dev-linker")
    less = family.with_arms(["linker=mold", "debug=none"])
    assert less is not None
    assert [arm.name for arm in less.arms] == [PLAIN, AGAIN, "linker=mold", "linker=bfd", "linker=bfd again"]
    assert family.with_arms(["debug=none"]) is None
    assert family.with_arms([]) is family


def test_a_machine_is_as_it_was_noted_and_without_a_note_this_one(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    assert noted(str(tmp_path), env) == look(env)
    note(str(tmp_path), env)
    file = tmp_path / "machine.json"
    file.write_text(file.read_text().replace(f'"cores": {look(env).cores}', '"cores": 99'))
    assert noted(str(tmp_path), env).shown.startswith("99 cores")


def test_a_mode_has_figures_of_each_workspace_and_a_setting_those_of_the_first_family_and_more() -> None:
    arms = (Arm(PLAIN), Arm(AGAIN), Arm("mode=dev"))
    families_of_modes = [Family(name, name, "dev", arms, situations=("edit",)) for name in ("ripgrep", "minijinja")]
    records = [
        {**one, "family": family.name, "arm": str(one["arm"]).replace("debug=none", "mode=dev")}
        for family, factor in zip(families_of_modes, (0.5, 0.7), strict=True) for one in _records("edit", factor)
    ]  # fmt: skip
    later = _FAMILY._replace(name="later")
    records += [*_records("edit", 0.8), *({**one, "family": "later"} for one in _records("clean", 0.9))]
    made = data([Part(_HERE, settings([*families_of_modes, _FAMILY, later], records))], {})
    assert {name: one["edit"]["wall"] for name, one in made["modes"]["dev"].items()} == {
        "ripgrep": 0.5, "minijinja": 0.7,
    }  # fmt: skip
    assert list(made["settings"]) == ["debug=none"]
    assert {one: made["settings"]["debug=none"][one]["wall"] for one in ("edit", "clean")} == {
        "edit": 0.8,
        "clean": 0.9,
    }


def test_an_edit_changes_the_file_each_time_and_never_its_size(tmp_path: object) -> None:
    path = f"{tmp_path}/lib.rs"
    with open(path, "w", encoding="utf-8") as file:
        file.write("pub fn own() {}\n")
    texts = []
    for number in (1, 9999, 1):
        Edit(path, is_program=False).make(number)
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    assert texts[0] == texts[2] != texts[1]
    assert len(texts[0]) == len(texts[1])
    assert all(text.startswith("pub fn own() {}\n") and text.count("fn changing") == 1 for text in texts)


def test_a_published_manifest_loses_only_what_nothing_here_builds() -> None:
    manifest = (
        '[package]\nname = "a"\n[lib]\npath = "l.rs"\n[[test]]\nname = "t"\n[dependencies.x]\nversion = "1"\n'
        '[dev-dependencies.y]\nversion = "1"\n[target."cfg(unix)".dev-dependencies.z]\nversion = "1"\n'
        '[target."cfg(unix)".dependencies.u]\nversion = "1"\n[features]\ntest = []\n[profile.release]\ndebug = 1\n'
    )
    assert without_tables(manifest) == (
        '[package]\nname = "a"\n[lib]\npath = "l.rs"\n[dependencies.x]\nversion = "1"\n'
        '[target."cfg(unix)".dependencies.u]\nversion = "1"\n[features]\ntest = []\n'
    )


def test_what_a_command_leaves_behind_is_counted_with_it(tmp_path: object) -> None:
    # Whoever adopts orphans waits for all of its children: that is for a process of its own.
    script = (
        "import os, sys\n"
        "from bench.plan_world import take\n"
        "from tests.real.usage import become_subreaper\n"
        "become_subreaper()\n"
        "burn = 'import os, sys, time\\nif os.fork(): os._exit(7)\\nwhile time.process_time() < 0.3: pass'\n"
        "one = take([sys.executable, '-c', burn], cwd='/', env=dict(os.environ))\n"
        "print(one.code, one.cpu_s > 0.3)\n"
    )
    path = f"{tmp_path}/said"
    with open(path, "w", encoding="ascii") as file:
        pid = os.posix_spawn(
            sys.executable, [sys.executable, "-c", script], dict(os.environ),
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)],
        )  # fmt: skip
    assert os.waitpid(pid, 0)[1] == 0
    with open(path, encoding="ascii") as file:
        assert file.read() == "7 True\n"


def test_memory_and_sizes_are_the_largest_and_each_file_once(tmp_path: object) -> None:
    with open(f"{tmp_path}/peaks", "w", encoding="ascii") as file:
        file.write("a\t5\nb\t70\nc\t6\ntorn")
    assert read_link_peak(f"{tmp_path}/peaks") == 70
    assert read_link_peak(f"{tmp_path}/none") == 0
    os.link(f"{tmp_path}/peaks", f"{tmp_path}/again")
    assert size_bytes(str(tmp_path)) == len("a\t5\nb\t70\nc\t6\ntorn")


class TestNative:
    def families(self, **refused: str) -> dict[str, Family]:
        def plan(_: str, arm: str) -> Planned:
            why = refused.get(arm.partition("=")[2], "")
            return Planned() if why else Planned(("--config", arm), (("TOLD", arm),))

        return {family.name: family for family in native_families(plan)}

    def test_arms_are_what_the_product_plans_with_its_variables(self) -> None:
        families = self.families()
        assert {family.subject for family in families.values()} <= NATIVE.keys()
        for family in families.values():
            assert [arm.told for arm in family.arms[:2]] == [(), ()]
            assert all(arm.told[0] == "--config" and arm.told[2].startswith("TOLD=") for arm in family.arms[2:])

    def test_a_compiler_cache_is_measured_with_an_empty_and_with_a_filled_store(self) -> None:
        for family in (self.families()["cmake"], self.families()["cuda"]):
            stores = {arm.name: arm.store for arm in family.arms if arm.store}
            assert sorted(stores.values()) == ["empty", "filled"]
            assert next(name for name, store in stores.items() if store == "filled").endswith("=sccache")

    def test_an_arm_that_cannot_be_had_here_is_not_built_and_the_round_is_whole_without_it(self) -> None:
        family = Family("made", "kernels", "dev", (Arm(PLAIN), Arm("cuda-archs=native", refused="no GPU")))
        assert [arm.name for arm in missing([], family, "clean", 0)] == [PLAIN]
        built = {"family": "made", "situation": "clean", "round": 0, "arm": PLAIN}
        assert done_rounds([built], family, "clean") == 1

    def test_the_product_is_asked_for_one_setting(self, tmp_path: Path) -> None:
        (tmp_path / "Cargo.toml").write_text('[package]\nname = "one"\nversion = "0.1.0"\n')
        env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
        found = planned(str(tmp_path), env, "debug=line-tables-only")
        assert found.flags == ("--config", 'profile.dev.debug="line-tables-only"')
        assert (found.env, found.refused) == ((), "")
        assert planned(str(tmp_path), {**env, "PATH": ""}, "cuda-archs=90").refused.endswith("is not there")

    def test_only_the_store_that_is_to_be_empty_loses_what_it_has(self, tmp_path: Path) -> None:
        folder = str(tmp_path)
        for store, is_left in (("filled", True), ("empty", False)):
            env = store_of(folder, "/targets/one", Arm("x", store=store), {})
            Path(env["SCCACHE_DIR"], "object").touch()
            assert is_filled(folder, "/targets/one")
            store_of(folder, "/targets/one", Arm("x", store=store), {})
            assert is_filled(folder, "/targets/one") is is_left


@pytest.mark.parametrize("name", ["a.c", "a.cu"])
def test_an_edit_of_other_languages_is_in_their_words(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("int a;\n")
    edit = Edit(str(tmp_path / name), is_program=False)
    edit.make(7)
    text = (tmp_path / name).read_text()
    assert text.startswith("int a;\n")
    assert "10007" in text
    assert "fn " not in text
