"""What goes in as flags of rustc: whose key, which linker and processor, what needs nightly."""

from typing import Any

import pytest

from core.plan.decide import decide
from core.plan.found import Found, Machine, Target, Tool, Toolchain
from core.plan.given import Given, Key, Origin, Settings
from core.plan.wish import Mode, Wish
from tests.core.plan_worlds import FILE, GNU, MUSL, World, asks, decided, found, row, with_values

HERE = found(World())


class TestRustflags:
    FLAG = '["-C", "target-cpu=x86-64-v3"]'

    def test_they_go_where_cargo_reads_them(self) -> None:
        mode = asks(target_cpu="x86-64-v3")
        target, build = ("target", GNU, "rustflags"), ("build", "rustflags")
        cases: list[tuple[dict[Key, Any], str]] = [
            ({}, f"target.{GNU}.rustflags"),
            ({build: ["--cfg", "a"]}, "build.rustflags"),
            ({build: "--cfg a"}, "build.rustflags"),
            ({build: []}, f"target.{GNU}.rustflags"),
            ({build: ["--cfg", "a"], target: ["--cfg", "b"]}, f"target.{GNU}.rustflags"),
            ({build: ["--cfg", "a"], ("target", "cfg(unix)", "rustflags"): ["-g"]}, f"target.{GNU}.rustflags"),
            ({build: ["--cfg", "a"], ("target", "cfg(windows)", "rustflags"): ["-g"]}, "build.rustflags"),
        ]
        for values, key in cases:
            assert decided("target-cpu", mode, with_values(values)).flags == ("--config", f"{key}={self.FLAG}")

    @pytest.mark.parametrize("name", ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"])
    @pytest.mark.parametrize("value", ["", "-g"])
    def test_beside_those_of_a_variable_none_are_added(self, name: str, value: str) -> None:
        world = HERE._replace(env={name: value})
        plan = decide(world, Wish(mode=asks(target_cpu="x86-64-v3", linker="mold", cmake_generator="ninja")))
        assert (plan.flags, plan.env) == ((), ())
        assert f"{name} replaces every other rustflag" in row(plan, "target-cpu").reason

    def test_where_it_cannot_be_told_whose_count_none_are_added(self) -> None:
        odd: dict[Key, Any] = {("target", 'cfg(target_feature = "avx")', "rustflags"): ["-g"]}
        assert decided("target-cpu", asks(target_cpu="x86-64-v3"), with_values(odd)).flags
        both = with_values({**odd, ("build", "rustflags"): ["-O"]})
        assert not decided("target-cpu", asks(target_cpu="x86-64-v3"), both).flags

    def test_flags_of_an_expression_that_cannot_be_told_are_not_known_and_not_none(self) -> None:
        odd: dict[Key, Any] = {("target", 'cfg(target_feature = "avx")', "rustflags"): ["-g"]}
        alone = decided("rustflags", Mode(), with_values(odd))
        assert (alone.value, alone.by) == ("not known", "user")
        assert 'cannot be told whether cfg(target_feature = "avx") holds' in alone.reason
        beside = decided("rustflags", Mode(), with_values({**odd, ("target", GNU, "rustflags"): ["-O"]}))
        assert beside.value == "-O"
        assert "cannot be told" in beside.reason

    def test_the_row_tells_what_a_variable_takes_away(self) -> None:
        world = with_values({("build", "rustflags"): ["-g"]})._replace(env={"RUSTFLAGS": "-O"})
        assert "RUSTFLAGS replaces build.rustflags" in decided("rustflags", Mode(), world).reason

    def test_with_a_target_the_row_says_whom_they_do_not_reach(self) -> None:
        world = HERE._replace(target=Target(MUSL, Origin("--target")))
        setting = decided("target-cpu", asks(target_cpu="x86-64-v3"), world)
        assert setting.flags == ("--config", f"target.{MUSL}.rustflags={self.FLAG}")
        assert "build scripts and proc macros do not get it" in setting.cost

    def test_a_credential_among_them_is_not_shown(self) -> None:
        world = with_values({("build", "rustflags"): ["--cfg", "https://me:hunter22@example.net/"]})
        assert "hunter22" not in str(decide(world, Wish()))


class TestTargetCpu:
    def test_native_of_the_user_stays_and_keeps_objects_apart(self) -> None:
        world = HERE._replace(env={"RUSTFLAGS": "-Ctarget-cpu=native"})
        plan = decide(world, Wish(mode=asks(target_cpu="x86-64-v2")))
        assert (row(plan, "target-cpu").value, row(plan, "target-cpu").by) == ("native", "user")
        assert plan.namespace == "4f3a"
        assert decide(HERE, Wish()).namespace == ""

    def test_native_of_a_mode_keeps_objects_apart_too(self) -> None:
        assert decide(HERE, Wish(mode=asks(target_cpu="native"))).namespace == "4f3a"

    def test_native_means_nothing_for_another_machine(self) -> None:
        world = HERE._replace(target=Target("aarch64-unknown-linux-gnu", Origin("--target")))
        plan = decide(world, Wish(mode=asks(target_cpu="native")))
        assert (plan.flags, plan.namespace) == ((), "")


class TestLinkers:
    def tools(self, **tools: Tool) -> Found:
        return HERE._replace(tools={**HERE.tools, **tools})

    def test_where_it_cannot_be_told_what_links_nothing_is_chosen(self) -> None:
        odd = with_values({("target", 'cfg(target_feature = "avx")', "linker"): "clang"})
        setting = decided("linker", asks(linker="mold"), odd)
        assert (setting.value, setting.by, setting.flags) == ("rust-lld", "cargo", ())
        assert "it cannot be told whether cfg(target_feature" in setting.reason

    def test_beside_flags_of_its_own_triple_an_odd_expression_does_not_matter(self) -> None:
        values: dict[Key, Any] = {
            ("target", 'cfg(target_feature = "avx")', "rustflags"): ["-g"],
            ("target", GNU, "rustflags"): ["--cfg", "a"],
            ("build", "rustflags"): ["-O"],
        }
        assert decided("linker", asks(linker="mold"), with_values(values)).flags[1].startswith(f"target.{GNU}.")

    def test_a_linker_goes_in_as_a_flag_of_rustc_and_never_as_the_key(self) -> None:
        setting = decided("linker", asks(linker="mold"))
        assert setting.flags == ("--config", f'target.{GNU}.rustflags=["-C", "link-arg=-fuse-ld=mold"]')

    def test_what_the_toolchain_links_with_anyway_gets_no_flag(self) -> None:
        assert decided("linker", asks(linker="lld")).flags == ()
        older = HERE._replace(toolchain=HERE.toolchain._replace(links_with_lld=False))
        assert decided("linker", Mode(), older).value == "bfd"
        assert decided("linker", asks(linker="lld"), older).flags[1].endswith('-fuse-ld=lld"]')

    @pytest.mark.parametrize(
        ("world", "name", "why"),
        [
            ({"mold": Tool("mold")}, "mold", "mold is not there"),
            ({"mold": Tool("mold", "/m", trouble="it dies")}, "mold", "it dies"),
            ({"mold": Tool("mold", "/m", is_asked=False)}, "mold", "was not asked yet"),
            ({"cc": Tool("cc", "/cc", (12, 0, 0), kind="gcc")}, "mold", "knows mold from 12.1 on"),
            ({"cc": Tool("cc", "/cc", (11, 4), kind="gcc")}, "mold", "knows mold from 12.1 on"),
            ({"cc": Tool("cc")}, "mold", "there is no cc"),
            ({"wild": Tool("wild", "/w", (0, 9, 0))}, "wild", "only clang can be told"),
            ({"lld": Tool("lld")}, "lld", "lld is not there"),
        ],
    )
    def test_a_linker_that_cannot_be_used_is_not_chosen(self, world: dict[str, Tool], name: str, why: str) -> None:
        older = self.tools(**world)._replace(toolchain=HERE.toolchain._replace(links_with_lld=False))
        setting = decided("linker", asks(linker=name), older)
        assert (setting.flags, setting.by) == ((), "cargo")
        assert why in setting.reason

    def test_clang_takes_wild_by_its_path(self) -> None:
        world = self.tools(cc=Tool("cc", "/cc", (14,), kind="clang"), wild=Tool("wild", "/opt/wild", (0, 9, 0)))
        assert decided("linker", asks(linker="wild"), world).flags[1].endswith('--ld-path=/opt/wild"]')

    def test_one_that_failed_this_workspace_is_not_chosen_again(self) -> None:
        setting = decided("linker", asks(linker="mold"), HERE._replace(refused_linkers=("mold",)))
        assert (setting.value, setting.flags) == ("rust-lld", ())
        assert "failed to link this workspace" in setting.reason

    @pytest.mark.parametrize("triple", [MUSL, "aarch64-unknown-linux-gnu", "x86_64-pc-windows-gnu", "odd.json"])
    def test_none_is_chosen_for_another_target(self, triple: str) -> None:
        world = HERE._replace(target=Target(triple, Origin("--target")))
        assert decided("linker", asks(linker="mold"), world).flags == ()

    def test_none_is_chosen_on_apples_systems(self) -> None:
        world = HERE._replace(
            machine=Machine(system="darwin", cores=8),
            toolchain=Toolchain(host="aarch64-apple-darwin", channel="stable", cargo=(1, 95, 0)),
        )
        setting = decided("linker", asks(linker="lld"), world)
        assert (setting.value, setting.flags) == ("Apple's", ())

    @pytest.mark.parametrize(
        ("values", "value"),
        [
            ({("target", GNU, "linker"): "clang"}, "clang"),
            ({("target", "cfg(unix)", "linker"): "my-cc"}, "my-cc"),
            ({("build", "rustflags"): ["-C", "link-arg=-fuse-ld=lld"]}, "lld"),
            ({("build", "rustflags"): ["-Clink-args=-Wl,-x --ld-path=/opt/ld.gold"]}, "gold"),
            ({("target", GNU, "rustflags"): ["-Clinker-features=-lld"]}, "linker-features=-lld"),
        ],
    )
    def test_the_users_own_stays(self, values: dict[Key, Any], value: str) -> None:
        setting = decided("linker", asks(linker="mold"), with_values(values))
        assert (setting.value, setting.by, setting.origin, setting.flags) == (value, "user", FILE, ())
        assert "mode mine would take mold" in setting.reason


class TestNightly:
    NIGHTLY = found(World(toolchain="nightly"))

    @pytest.mark.parametrize("name", ["backend", "share-generics", "front-end-threads"])
    def test_what_needs_nightly_is_not_asked_of_stable(self, name: str) -> None:
        mode = asks(backend="cranelift", share_generics=False, front_end_threads=8)
        setting = decided(name, mode)
        assert setting.flags == ()
        assert "needs nightly" in setting.reason or setting.by == "mode"
        assert name not in [one.name for one in decide(HERE, Wish(mode=Mode())).settings]

    def test_cranelift_is_for_members_alone(self) -> None:
        flags = decided("backend", asks(backend="cranelift"), self.NIGHTLY).flags
        assert flags[1::2] == (
            "unstable.codegen-backend=true",
            'profile.dev.codegen-backend="cranelift"',
            'profile.dev.package."*".codegen-backend="llvm"',
            'profile.dev.build-override.codegen-backend="llvm"',
        )

    def test_cranelift_that_is_not_installed_is_not_asked_for(self) -> None:
        bare = self.NIGHTLY._replace(toolchain=self.NIGHTLY.toolchain._replace(has_cranelift=False))
        setting = decided("backend", asks(backend="cranelift"), bare)
        assert (setting.value, setting.flags) == ("llvm", ())
        assert "rustup component add" in setting.reason

    @pytest.mark.parametrize(("cores", "wanted", "threads"), [
        (64, "share", 8), (16, "share", 4), (8, "share", 2), (4, "share", 1), (64, 64, 8), (2, 8, 2), (1, 8, 1),
    ])  # fmt: skip
    def test_front_end_threads_are_a_steady_share_and_eight_at_most(
        self, cores: int, wanted: Any, threads: int
    ) -> None:
        world = self.NIGHTLY._replace(machine=Machine(cores=cores))
        setting = decided("front-end-threads", asks(front_end_threads=wanted), world)
        assert setting.value == str(threads)
        expected = ("--config", f'target.{GNU}.rustflags=["-Zthreads={threads}"]') if threads > 1 else ()
        assert setting.flags == expected

    def test_generics_are_shared_anyway_where_nothing_is_optimized_for_speed(self) -> None:
        assert decided("share-generics", asks(share_generics=True), self.NIGHTLY).flags == ()
        told = decided("share-generics", asks(share_generics=True), self.NIGHTLY, options={"release": [""]})
        assert told.flags == ("--config", f'target.{GNU}.rustflags=["-Zshare-generics=y"]')


@pytest.mark.parametrize(
    ("tools", "refused", "value", "said"),
    [
        (("lld", "mold"), (), "lld", "faster than GNU ld"),
        (("mold",), (), "mold", "links on all cores"),
        (("lld", "mold"), ("lld",), "mold", "links on all cores"),
        ((), (), "bfd", "lld is not there; mold is not there"),
    ],
)
def test_fast_is_the_first_linker_that_can_be_had_in_place_of_gnu_ld(
    tools: tuple[str, ...], refused: tuple[str, ...], value: str, said: str
) -> None:
    there = {name: Tool(name, f"/usr/bin/{name}", (20, 0)) for name in tools}
    found = Found(
        toolchain=Toolchain(channel="stable", rustc=(1, 80, 0), cargo=(1, 80, 0), host="x86_64-unknown-linux-gnu"),
        tools={**there, "cc": Tool("cc", "/usr/bin/cc", (12, 2, 0), kind="gcc"), "ld": Tool("ld", "/ld", kind="bfd")},
        refused_linkers=refused,
    )
    mode = Mode("m", Origin("--mode"), {"linker": Given("fast", Origin("mode m"))})
    row = next(one for one in decide(found, Wish(mode=mode)).settings if one.name == "linker")
    assert row.value == value
    assert said in row.reason
    assert bool(row.flags) == bool(tools)


def test_what_rustflags_say_counts_more_than_profiles_and_modes() -> None:
    given = Given(["-C", "debuginfo=1", "-C", "opt-level=2"], Origin("/repo/app/.cargo/config.toml", 2))
    settings = Settings(values={("build", "rustflags"): given}, every=((("build", "rustflags"), given),))
    mode = Mode("dev", Origin("--mode"), {"debug": Given("line-tables-only", Origin("mode dev"))})
    found = Found(
        toolchain=Toolchain(channel="stable", rustc=(1, 95, 0), host="x86_64-unknown-linux-gnu"), settings=settings
    )
    rows = {one.name: one for one in decide(found, Wish(mode=mode)).settings}
    for name, value in (("debug", "limited"), ("deps-debug", "limited"), ("opt-level", "2")):
        assert (rows[name].value, rows[name].by, rows[name].flags) == (value, "user", ())
        assert rows[name].origin.line == 2
    assert "mode dev would set line-tables-only" in rows["debug"].reason
