"""What is said of tools: which versions fail at what, and what a missing one would give."""

import pytest

from core.plan.found import Found, Tool, Toolchain
from core.plan.tool_advice import KNOWN, USES, Told, holds, of_toolchain, tell
from core.plan.tools import PROGRAMS


def found(*tools: Tool, env: dict[str, str] | None = None, toolchain: Toolchain | None = None) -> Found:
    return Found(tools={one.name: one for one in tools}, env=env or {}, toolchain=toolchain or Toolchain())


def at(name: str, *version: int, kind: str = "") -> Tool:
    return Tool(name, f"/usr/bin/{name}", version, kind=kind)


def of(name: str, world: Found) -> Told:
    return next(one for one in tell(world, {}) if one.tool.name == name)


FAILING = [
    ("sccache", found(at("sccache", 0, 17, 0), at("nvcc", 13, 3, 33)), "cubins are missing"),
    ("sccache", found(at("sccache", 0, 16, 0), env={"SCCACHE_BASEDIRS": "/a:/b"}), "the object of another"),
    ("ccache", found(at("ccache", 4, 7, 5), at("nvcc", 13, 0)), "__CUDA_ARCH__"),
    ("make", found(at("make", 4, 3), env={"MAKEFLAGS": "-j --jobserver-auth=fifo:/tmp/x"}), "jobserver-auth"),
    ("cc", found(at("cc", 11, 4, 0, kind="gcc"), at("mold", 2, 4)), "-fuse-ld=mold"),
]
SOUND = [
    ("sccache", found(at("sccache", 0, 18), at("nvcc", 13, 3))),
    ("sccache", found(at("sccache", 0, 17), at("nvcc", 13, 2, 86))),
    ("sccache", found(at("sccache", 0, 17), Tool("nvcc"))),
    ("sccache", found(at("sccache", 0, 16), env={"SCCACHE_BASEDIRS": "/a", "SCCACHE_DIRECT": "false"})),
    ("sccache", found(at("sccache"), at("nvcc", 13, 3))),
    ("ccache", found(at("ccache", 4, 7, 5), at("nvcc", 13, 0), env={"CCACHE_DEPEND": "1"})),
    ("ccache", found(at("ccache", 4, 7, 5))),
    ("make", found(at("make", 4, 4), env={"MAKEFLAGS": "--jobserver-auth=fifo:/tmp/x"})),
    ("make", found(at("make", 4, 3), env={"MAKEFLAGS": "-j --jobserver-auth=3,4"})),
    ("cc", found(at("cc", 12, 2, 0, kind="gcc"), at("mold", 2, 4))),
    ("cc", found(at("cc", 11, 0, 0, kind="clang"), at("mold", 2, 4))),
    ("cc", found(at("cc", 11, 4, 0, kind="gcc"))),
]


@pytest.mark.parametrize(("name", "world", "words"), FAILING)
def test_a_version_that_fails_beside_what_is_there_is_named_with_the_reason(
    name: str, world: Found, words: str
) -> None:
    assert any(words in why for why in of(name, world).wrong)


@pytest.mark.parametrize(("name", "world"), SOUND)
def test_a_version_or_setting_that_is_sound_is_not_blamed(name: str, world: Found) -> None:
    assert of(name, world).wrong == ()


def test_a_depend_mode_that_is_switched_off_does_not_save_ccache() -> None:
    world = found(at("ccache", 4, 7, 5), at("nvcc", 13, 0), env={"CCACHE_DEPEND": "0"})
    assert of("ccache", world).wrong != ()


def test_a_tool_that_is_not_there_has_neither_faults_nor_limits() -> None:
    assert all(not holds(one, Found()) for one in KNOWN)


def test_every_fault_is_of_a_tool_that_is_looked_for() -> None:
    assert {one.tool for one in KNOWN} - {"cargo"} <= set(PROGRAMS)
    assert {one.beside for one in KNOWN} - {""} <= set(PROGRAMS)
    assert set(PROGRAMS) <= set(USES)


def test_what_a_missing_tool_would_give_is_as_measured_or_said_not_to_be() -> None:
    link = {"verdict": "faster", "decides": "wall", "without_s": 2.0, "with_s": 1.0, "rounds": 5}
    table = {"cores": 2, "settings": {"linker=mold": {"workspace": "x", "profile": "dev", "link": link}}}
    told = {one.tool.name: one.gain for one in tell(Found(), table)}
    assert told["mold"] == "measured on x, profile dev, 2 cores: link ×0.50 (2 s → 1 s)"
    assert told["wild"] == "not measured"
    assert told["cmake"] == ""


def test_an_lld_gives_nothing_to_a_toolchain_that_links_with_its_own() -> None:
    own = found(toolchain=Toolchain(links_with_lld=True))
    assert of("lld", own).gain.startswith("nothing")
    assert of("lld", Found()).gain == "not measured"


def test_what_links_by_default_is_said_of_the_toolchain_in_force() -> None:
    own = Toolchain(host="x86_64-unknown-linux-gnu", llvm=(22, 1, 2), sysroot="/s", has_own_lld=True)
    by_lld = found(at("ld", 2, 40), toolchain=own._replace(links_with_lld=True))
    by_ld = found(at("ld", 2, 40), toolchain=own)
    said = "links where nobody names a linker"
    assert (said in of("rust-lld", by_lld).use, of("ld", by_lld).use.startswith(said)) == (True, False)
    assert (said in of("rust-lld", by_ld).use, of("ld", by_ld).use) == (False, said)
    tool = of("rust-lld", by_lld).tool
    assert (tool.path, tool.shown) == ("/s/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld", "22.1.2")
    assert of("rust-lld", found()).state == "missing"


def test_what_ccache_gave_to_cuda_is_told_only_where_there_is_nvcc() -> None:
    assert "6.1 s → 0.02 s" in of("ccache", found(at("nvcc", 13, 0))).gain
    assert of("ccache", Found()).gain == "not measured"


def test_a_tool_that_does_not_run_is_unusable_and_would_still_give_what_it_gives() -> None:
    told = of("mold", found(Tool("mold", "/usr/bin/ld.mold", trouble="it ends with code 1")))
    assert (told.state, told.gain) == ("unusable", "not measured")


def test_tools_of_the_other_system_are_not_shown() -> None:
    linux = found(Tool("ld64.lld"), Tool("mold"))
    macos = linux._replace(machine=linux.machine._replace(system="darwin"))
    assert "ld64.lld" not in {one.tool.name for one in tell(linux)}
    assert not {"mold", "bfd"} & {one.tool.name for one in tell(macos)}


def test_cargo_on_ci_is_said_to_compile_nothing_incrementally_from_1_99_on() -> None:
    new, old = Toolchain(cargo=(1, 99, 0)), Toolchain(cargo=(1, 98, 0))
    assert "incrementally" in of_toolchain(found(env={"CI": "false"}, toolchain=new))[0]
    assert of_toolchain(found(env={"CI": "1", "CARGO_INCREMENTAL": "1"}, toolchain=new)) == ()
    assert of_toolchain(found(env={"CI": "1"}, toolchain=old)) == ()
    assert of_toolchain(found(toolchain=new)) == ()
