"""What is decided for a build: golden tables of many worlds, and each rule by itself."""

import itertools
from typing import Any

import pytest

from core.plan import modes
from core.plan.decide import decide
from core.plan.decide_case import config, shown, toml
from core.plan.given import Given, Key, Origin, Settings
from core.plan.wish import Mode, Wish
from tests.core.plan_worlds import (
    AXES,
    FILE,
    GNU,
    GOLDEN,
    MANIFEST,
    World,
    asks,
    decided,
    found,
    mode,
    row,
    tables,
    wish,
    with_values,
    worlds,
)  # fmt: skip

HERE = found(World())


def test_plans_are_what_the_golden_tables_say() -> None:
    kept = {path.stem: path.read_text() for path in GOLDEN.glob("*.txt")}
    assert tables() == kept, "python -m tests.core.plan_worlds writes them anew"


def test_any_two_values_of_any_two_axes_meet_in_a_golden_table() -> None:
    every = list(worlds())
    for one, two in itertools.combinations(AXES, 2):
        met = {(getattr(world, one), getattr(world, two)) for world in every}
        assert met == set(itertools.product(AXES[one], AXES[two]))


@pytest.mark.parametrize("world", list(worlds()), ids=lambda world: f"{world.mode}, {world.user}")
def test_every_row_has_a_reason_and_sets_nothing_that_enters_cache_keys(world: World) -> None:
    plan = world.plan
    assert all(setting.reason for setting in plan.settings)
    assert len({setting.name for setting in plan.settings}) == len(plan.settings)
    assert all(not name.startswith("CARGO_") for name, _ in plan.env)
    assert not any(".linker=" in flag for flag in plan.flags)
    assert all(setting.origin.place for setting in plan.settings if setting.by in ("user", "mode"))


@pytest.mark.parametrize("user", AXES["user"])
@pytest.mark.parametrize("channel", AXES["toolchain"])
def test_without_a_mode_nothing_is_set(user: str, channel: str) -> None:
    plan = World(user=user, toolchain=channel).plan
    assert (plan.flags, plan.env) == ((), ())


def test_agents_of_one_mode_get_the_same_flags_however_many_build() -> None:
    for world in worlds():
        alone, together = (decide(found(world), wish(world)._replace(agents=count)) for count in (1, 4))
        changing = {"jobs", "cmake-parallel", "nvcc-threads"}  # no unit's hash has them
        assert [s.flags for s in alone.settings if s.name not in changing] == [
            s.flags for s in together.settings if s.name not in changing
        ]


class TestProfiles:
    def test_a_mode_sets_keys_of_the_profile_that_is_built(self) -> None:
        mode = asks(debug="line-tables-only", deps_debug="none", build_opt_level=1)
        assert decide(HERE, Wish(mode=mode)).flags == (
            *("--config", 'profile.dev.debug="line-tables-only"'),
            *("--config", 'profile.dev.package."*".debug=false'),
            *("--config", "profile.dev.build-override.opt-level=1"),
        )

    @pytest.mark.parametrize(
        ("subcommand", "options", "profile"),
        [
            ("build", {}, "dev"),
            ("test", {}, "dev"),
            ("nextest", {}, "dev"),
            ("nextest", {"profile": ["ci"]}, "dev"),
            ("nextest", {"cargo-profile": ["release"]}, "release"),
            ("bench", {}, "release"),
            ("build", {"release": [""]}, "release"),
            ("check", {"profile": ["shipped"]}, "shipped"),
        ],
    )
    def test_flags_go_to_the_profile_that_the_command_takes_its_settings_from(
        self, subcommand: str, options: dict[str, list[str]], profile: str
    ) -> None:
        decided_row = decided("debug", asks(debug="limited"), subcommand=subcommand, options=options)
        assert decided_row.flags == ("--config", f"profile.{profile}.debug=1")

    def test_a_mode_of_release_names_release_where_nobody_names_a_profile(self) -> None:
        mode = asks(profile="release", lto="fat")
        plan = decide(HERE, Wish(mode=mode))
        assert plan.flags == ("--release", "--config", 'profile.release.lto="fat"')

    def test_of_another_profile_on_the_command_line_a_mode_sets_nothing_and_says_so(self) -> None:
        mode = asks(profile="release", lto="fat", incremental=True)
        plan = decide(HERE, Wish(mode=mode, options={"profile": ["dev"]}))
        assert plan.flags == ()
        assert row(plan, "profile").by == "user"
        assert "mode mine is for release, and this builds dev" in row(plan, "lto").reason

    @pytest.mark.parametrize(
        ("subcommand", "options", "by", "built"),
        [
            ("build", {"release": [""]}, "user", "release"),
            ("nextest", {"cargo-profile": ["release"]}, "user", "release"),
            ("build", {"profile": ["shipped"]}, "user", "shipped"),
            ("bench", {}, "cargo", "bench"),
        ],
    )
    def test_built_in_modes_of_dev_leave_what_is_optimized_alone_and_say_so(
        self, subcommand: str, options: dict[str, list[str]], by: str, built: str
    ) -> None:
        for name in ("dev", "test", "check-fast"):
            plan = decide(HERE, Wish(subcommand, options, mode(name)))
            chosen = row(plan, "profile")
            assert (plan.flags, chosen.by, chosen.value) == ((), by, built)
            assert f"mode {name} is for dev, and this builds {built}" in chosen.reason

    def test_what_a_profile_of_nextest_is_called_is_none_of_cargos(self) -> None:
        plan = decide(HERE, Wish("nextest", {"profile": ["release"]}, mode("dev")))
        assert (row(plan, "profile").value, row(plan, "debug").by) == ("test", "mode")

    def test_a_bench_builds_release_by_itself(self) -> None:
        plan = decide(HERE, Wish("bench", mode=asks(profile="release", codegen_units=1)))
        assert plan.flags == ("--config", "profile.release.codegen-units=1")

    def test_a_bench_measures_what_is_shipped_and_is_not_incremental_by_a_mode(self) -> None:
        plan = decide(HERE, Wish("bench", mode=asks(profile="release", incremental=True, codegen_units=1)))
        assert plan.flags == ("--config", "profile.release.codegen-units=1")
        assert (row(plan, "incremental").value, row(plan, "incremental").by) == ("false", "cargo")
        assert "a benchmark measures what is shipped" in row(plan, "incremental").reason

    def test_a_profile_that_nobody_defines_is_not_asked_of_cargo(self) -> None:
        plan = decide(HERE, Wish(mode=asks(profile="shipped", lto="thin")))
        assert plan.flags == ()
        assert "defines the profile shipped" in row(plan, "profile").reason

    def test_a_profile_of_the_manifest_is_named_as_each_command_names_it(self) -> None:
        world = with_values({}, {("profile", "shipped", "inherits"): "release"})
        mode = asks(profile="shipped", lto="thin")
        assert decide(world, Wish(mode=mode)).flags[:2] == ("--profile", "shipped")
        assert decide(world, Wish("nextest", mode=mode)).flags[:2] == ("--cargo-profile", "shipped")
        assert row(decide(world, Wish(mode=mode)), "opt-level").value == "3"

    @pytest.mark.parametrize(
        ("values", "manifest", "origin"),
        [
            ({("profile", "dev", "debug"): 1}, {}, FILE),
            ({}, {("profile", "dev", "debug"): 1}, MANIFEST),
            ({("profile", "dev", "debug"): 1}, {("profile", "dev", "debug"): 2}, FILE),
        ],
    )
    def test_what_the_user_says_of_a_profile_stays(
        self, values: dict[Key, Any], manifest: dict[Key, Any], origin: Origin
    ) -> None:
        plan = decide(with_values(values, manifest), Wish(mode=asks(debug="line-tables-only", deps_debug="none")))
        debug, deps = row(plan, "debug"), row(plan, "deps-debug")
        assert (debug.value, debug.by, debug.origin, debug.flags) == ("limited", "user", origin, ())
        assert "mode mine would set line-tables-only" in debug.reason
        assert (deps.value, deps.by, deps.flags) == ("limited", "user", ()), "it speaks of dependencies too"

    def test_what_the_user_says_of_dependencies_alone_leaves_members_to_the_mode(self) -> None:
        world = with_values({}, {("profile", "dev", "package", "*", "debug"): True})
        plan = decide(world, Wish(mode=asks(debug="none", deps_debug="none")))
        assert plan.flags == ("--config", "profile.dev.debug=false")
        assert row(plan, "deps-debug").value == "full"

    def test_of_tests_alone_the_user_can_say_something_else(self) -> None:
        world = with_values({("profile", "test", "debug"): 0})
        assert decided("debug", asks(debug="full"), world, subcommand="test").by == "user"
        assert decided("debug", asks(debug="limited"), world, subcommand="build").by == "mode"

    def test_packages_with_a_setting_of_their_own_are_named(self) -> None:
        world = with_values({}, {("profile", "dev", "package", "image", "opt-level"): 3})
        assert "set apart for image" in decided("opt-level", Mode(), world).reason

    def test_what_cargo_does_anyway_gets_no_flag(self) -> None:
        plan = decide(HERE, Wish(mode=asks(debug="full", lto="thin-local", incremental=True, panic="unwind")))
        assert plan.flags == ()
        assert row(plan, "debug").by == "mode"

    def test_codegen_units_are_said_where_members_and_dependencies_differ_by_themselves(self) -> None:
        assert decided("codegen-units", asks(codegen_units=256)).flags
        assert not decided("codegen-units", asks(codegen_units=16), options={"release": [""]}).flags


class TestIncremental:
    def test_a_cache_of_ours_turns_it_off_and_the_row_says_so(self) -> None:
        setting = decided("incremental", asks(incremental=True), cache="sccache 0.16.0")
        assert (setting.value, setting.by, setting.flags) == ("false", "deck", ())
        assert "mode mine wants it" in setting.reason

    def test_a_cache_of_the_users_own_turns_nothing_off(self) -> None:
        setting = decided("incremental", Mode(), cache="sccache")
        assert (setting.value, setting.by) == ("true", "cargo")
        assert "sccache keeps nothing that is incremental" in setting.reason

    def test_a_cache_of_ours_leaves_it_where_the_manifest_speaks_of_it(self) -> None:
        world = with_values({}, {("profile", "bench", "incremental"): True})
        assert decided("incremental", Mode(), world, cache="sccache 0.16.0").value == "true"

    def test_the_variable_counts_more_than_profiles(self) -> None:
        world = HERE._replace(
            settings=Settings({("build", "incremental"): Given(True, Origin("CARGO_INCREMENTAL"))}),
            env={"CARGO_INCREMENTAL": "1"},
        )
        setting = decided("incremental", asks(incremental=False), world)
        assert (setting.value, setting.by, setting.origin.place) == ("true", "user", "CARGO_INCREMENTAL")

    def test_new_cargos_turn_it_off_in_continuous_integration(self) -> None:
        new = HERE._replace(env={"CI": "false"}, toolchain=HERE.toolchain._replace(cargo=(1, 99, 0)))
        assert decided("incremental", asks(incremental=True), new).value == "false"
        assert decided("incremental", asks(), new._replace(toolchain=HERE.toolchain)).value == "true"


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 1 << 20000, 1.5, float("nan"), "", "\x1b[31m\n", '"]x=1', "\ud800", [], [[]], [None, 3], {},
    {"a": 1}, "x" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_value_of_a_mode_or_file_raises_or_moves_a_cursor(value: Any) -> None:
    mode = Mode("mine", Origin("x"), {name: Given(value, Origin("y")) for name in modes.OPTIONS})
    keys: list[Key] = [
        *[("profile", "dev", key) for key in ("debug", "lto", "inherits", "strip", "incremental", "codegen-backend")],
        ("profile", "dev", "package", "*", "debug"), ("profile", "dev", "package", "\x1b", "debug"), ("build", "jobs"),
        ("build", "rustflags"), ("target", GNU, "rustflags"), ("target", "cfg(((", "rustflags"),
        ("target", GNU, "linker"), ("build", "incremental"), ("source", "crates-io", "replace-with"),
        ("env", "CUDAARCHS"),
    ]  # fmt: skip
    for world in (HERE, with_values(dict.fromkeys(keys, value)), with_values({}, dict.fromkeys(keys, value))):
        for channel in ("stable", "nightly"):
            there = world._replace(toolchain=found(World(toolchain=channel)).toolchain)
            asked = Wish(mode=mode, features=Given(value, FILE), is_verbose=Given(value, FILE))
            for setting in decide(there, asked).settings:
                assert (setting.value + setting.reason + setting.cost).isprintable()


def test_values_are_written_as_toml_reads_them() -> None:
    import tomllib

    for value in (True, 3, 'a"b\\c\n\x1b\u00e9', ["-C", 'x="y"'], [], "é" * 3):
        _, text = config(("target", 'odd "name".json', "rustflags"), value)
        assert tomllib.loads(text) == {"target": {'odd "name".json': {"rustflags": value}}}
    assert toml(1 << 400) == "0"
    assert shown(["a", 1]) == "a 1"
