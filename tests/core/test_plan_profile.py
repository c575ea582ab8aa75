"""What counts of profiles. That it is what rustc gets: `tests/real/test_plan_profile.py`."""

from typing import Any

import pytest

from core.plan.given import Given, Origin, Settings
from core.plan.profile import effective, profile_chain, profile_given, profile_of, root_of


def given(values: dict[str, Any], place: str) -> dict[tuple[str, ...], Given]:
    """Of dotted keys."""
    return {tuple(key.split(".")): Given(value, Origin(place, at)) for at, (key, value) in enumerate(values.items(), 1)}


def settings(config: dict[str, Any] | None = None, manifest: dict[str, Any] | None = None) -> Settings:
    return Settings(values=given(config or {}, "config"), manifest=given(manifest or {}, "manifest"))


@pytest.mark.parametrize(
    ("typed", "profile"),
    [("build", "dev"), ("check", "dev"), ("run", "dev"), ("clippy", "dev"), ("doc", "dev"), ("test", "test"),
     ("bench", "bench"), ("nextest", "test"), ("build release", "release"), ("test release", "release"),
     ("build profile=fast", "fast"), ("build profile=fast release", "fast"), ("nextest cargo-profile=fast", "fast"),
     ("nextest profile=ci", "test"), ("rustc profile=check", "dev"), ("build profile=", "dev")],
)  # fmt: skip
def test_the_profile_is_the_one_that_the_command_builds(typed: str, profile: str) -> None:
    subcommand, *options = typed.split()
    named = {name: [value] for name, _, value in (option.partition("=") for option in options)}
    assert profile_of(subcommand, named) == profile


def test_config_counts_before_the_manifest_and_both_before_what_is_inherited() -> None:
    known = settings(
        {"profile.dev.debug": 1, "profile.a.lto": "thin"},
        {"profile.a.inherits": "b", "profile.b.inherits": "dev", "profile.b.debug": 0, "profile.b.lto": True,
         "profile.dev.debug": 2, "profile.dev.panic": "abort"},
    )  # fmt: skip
    assert profile_chain(known, "a") == ("a", "b", "dev")
    said = [profile_given(known, "a", key) for key in ("debug", "lto", "panic", "strip")]
    assert said == [
        Given(0, Origin("manifest", 3)), Given("thin", Origin("config", 2)), Given("abort", Origin("manifest", 6)),
        None,
    ]  # fmt: skip
    assert [root_of(known, name) for name in ("a", "test", "bench", "release")] == ["dev", "dev", "release", "release"]


def test_nobody_said_anything_leaves_cargos_own() -> None:
    dev, release = effective(Settings(), "dev"), effective(Settings(), "release")
    assert {key: one.value for key, one in dev.items() if "." not in key} == {
        "opt-level": "0", "debug": "full", "lto": "thin-local", "incremental": True, "panic": "unwind",
        "overflow-checks": True, "debug-assertions": True, "rpath": False, "split-debuginfo": "",
        "codegen-units": 256, "strip": "none",
    }  # fmt: skip
    differs = {key: one.value for key, one in release.items() if one.value != dev[key].value}
    assert differs == {
        "opt-level": "3", "debug": "none", "incremental": False, "overflow-checks": False, "debug-assertions": False,
        "codegen-units": 16, "strip": "debuginfo", "package.*.opt-level": "3", "package.*.debug": "none",
        "package.*.overflow-checks": False, "package.*.debug-assertions": False, "build-override.codegen-units": 16,
        "build-override.overflow-checks": False, "build-override.debug-assertions": False,
        "build-override.incremental": False,
    }  # fmt: skip
    assert all(one.given is None for one in (*dev.values(), *release.values()))


@pytest.mark.parametrize(
    ("config", "cargo", "is_ci", "expected"),
    [({}, (1, 95, 0), True, True), ({}, (1, 99, 0), True, False), ({}, (), True, False), ({}, (1, 99), False, True),
     ({"build.incremental": True}, (1, 99), True, True), ({"build.incremental": False}, (1, 95), False, False),
     ({"profile.dev.incremental": True}, (1, 99), True, False), ({"profile.dev.incremental": False}, (), False, False),
     ({"build.incremental": True, "profile.dev.incremental": False}, (), False, True)],
)  # fmt: skip
def test_incremental_is_what_counts_most(config: dict[str, Any], cargo: tuple[int, ...], is_ci: bool,
                                         expected: bool) -> None:  # fmt: skip
    found = effective(settings(config), "dev", cargo=cargo, is_ci=is_ci)
    assert (found["incremental"].value, found["codegen-units"].value) == (expected, 256 if expected else 16)


def test_std_is_stripped_where_nothing_has_debug_info() -> None:
    def strip(config: dict[str, Any], profile: str = "release", cargo: tuple[int, ...] = ()) -> Any:
        return effective(settings(config), profile, cargo=cargo)["strip"].value

    assert strip({}) == "debuginfo"
    assert strip({}, cargo=(1, 76, 0)) == "none"
    assert strip({"profile.dev.debug": 0}, "dev") == "debuginfo"
    assert strip({"profile.release.package.*.debug": 1}) == "none"
    assert strip({"profile.release.strip": False}) == "none"
    assert strip({"profile.release.strip": True}) == "symbols"


def test_values_come_in_one_form_with_who_says_them() -> None:
    found = effective(settings({"profile.dev.debug": 1, "profile.dev.lto": True, "profile.dev.opt-level": 2,
                                "profile.dev.build-override.opt-level": 3, "profile.dev.package.*.debug": False,
                                "profile.dev.codegen-units": 4}), "test", subcommand="test")  # fmt: skip
    said = {key: (one.value, one.given.origin.line) for key, one in found.items() if one.given is not None}
    assert said == {
        "debug": ("limited", 1), "lto": ("fat", 2), "opt-level": ("2", 3), "build-override.opt-level": ("3", 4),
        "package.*.debug": ("none", 5), "codegen-units": (4, 6), "package.*.codegen-units": (4, 6),
        "package.*.opt-level": ("2", 3),
    }  # fmt: skip
    assert found["panic"].why == "tests are always built to unwind"
