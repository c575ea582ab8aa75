"""Modes: what they can say, how files, variables and the flag are weighed, and what is said of every wrong input."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.plan.choose import (
    Chosen,
    Own,
    all_modes,
    choose_mode,
    list_troubles,
    read_features,
    read_own,
    read_verbose,
)  # fmt: skip
from core.plan.given import Given, Key, Origin, Trouble
from core.plan.modes import (
    BUILT_IN,
    OPTIONS,
    Resolved,
    built_in,
    contradictions,
    describe,
    layer_troubles,
    names,
    read_layer,
    resolve,
)  # fmt: skip
from core.plan.option import Refused, normal_value
from core.plan.toml_file import leaves_of
from core.plan.wish import Mode
from core.run.command import project_file


def layer_of(text: str, place: str = "deck.toml") -> Any:
    """Modes of a text, and what is wrong with it before there is a name."""
    import tomllib

    leaves: dict[Key, Given] = {}
    for line, (key, value) in enumerate(leaves_of(tomllib.loads(text)), 1):
        leaves[key] = Given(value, Origin(place, line))
    return read_layer(leaves)


def resolved(name: str, *texts: str) -> Resolved:
    """A mode of the first of some texts that has it, else a built-in one."""
    found = resolve(name, (*(layer_of(text, f"file{number}")[0] for number, text in enumerate(texts, 1)), built_in()))
    assert found is not None
    return found


def values(mode: Mode) -> dict[str, Any]:
    return {name: given.value for name, given in mode.options.items()}


class World:
    """A workspace inside a git checkout, and a person's folder of settings."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "ws"
        self.cache = str(folder / "cache")
        self.deck = self.root / "deck.toml"
        self.config = folder / "xdg/cargo-deck/config.toml"
        self.env = {"XDG_CONFIG_HOME": str(folder / "xdg"), "HOME": str(folder)}
        (self.root / ".git").mkdir(parents=True)
        self.config.parent.mkdir(parents=True)

    def choose(self, flag: str | None = None, **env: str) -> Chosen:
        return choose_mode(self.cache, flag=flag, env={**self.env, **env}, root=str(self.root))

    def own(self) -> Own:
        return read_own(self.cache, str(self.root), self.env)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# ------------------------------------------------------------------------------------------------------ options


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_mode_has_a_line_for_people_and_options_in_their_one_form(name: str) -> None:
    mode, troubles = resolved(name)
    assert troubles == ()
    assert mode.about
    assert values(mode) == {key: normal_value(OPTIONS[key], value) for key, value in BUILT_IN[name][1].items()}
    assert {given.origin for given in mode.options.values()} == {Origin(f"mode {name}")}


def test_no_built_in_mode_changes_what_the_program_means() -> None:
    assert {"panic", "overflow-checks"}.isdisjoint(key for _, options in BUILT_IN.values() for key in options)


@pytest.mark.parametrize(
    ("option", "value", "form"),
    [
        ("debug", 0, "none"), ("debug", 1, "limited"), ("debug", 2, "full"), ("debug", True, "full"),
        ("debug", False, "none"), ("deps-debug", "line-tables-only", "line-tables-only"), ("build-debug", 1, "limited"),
        ("lto", True, "fat"), ("lto", False, "thin-local"), ("lto", "off", "off"),
        ("strip", True, "symbols"), ("strip", False, "none"), ("strip", "debuginfo", "debuginfo"),
        ("opt-level", 3, 3), ("opt-level", "s", "s"), ("deps-opt-level", 0, 0), ("build-opt-level", "2", 2),
        ("codegen-units", 1, 1), ("codegen-units", 256, 256), ("jobs", "auto", "auto"), ("jobs", 3, 3),
        ("front-end-threads", "share", "share"), ("front-end-threads", 64, 64), ("cmake-parallel", "jobs", "jobs"),
        ("incremental", False, False), ("profile", "release-lto", "release-lto"),
        ("target-cpu", "x86-64-v3", "x86-64-v3"),
        ("cuda-archs", "native", "native"), ("cuda-archs", "80;90", "80;90"), ("cuda-archs", [80, "90a"], "80;90a"),
        ("cuda-archs", 80, "80"), ("cuda-archs", "120-real", "120-real"),
    ],
)  # fmt: skip
def test_a_value_is_brought_to_one_form(option: str, value: object, form: object) -> None:
    found = normal_value(OPTIONS[option], value)
    assert (found, type(found)) == (form, type(form))


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("debug", 3, 'debug is one of "none", "line-directives-only", "line-tables-only", "limited", "full", '
                     "0, 1, 2, false, true: 3 is not"),
        ("debug", "1", '"1" is not'),
        ("debug", "fulll", '"fulll" is not'),
        ("debug", [], "a list is not"),
        ("debug", 1.0, "1.0 is not"),
        ("lto", 1, 'lto is one of "off", "thin-local", "thin", "fat", false, true: 1 is not'),
        ("strip", "true", '"true" is not'),
        ("opt-level", 4, 'opt-level is 0, 1, 2, 3, "s", "z": 4 is not'),
        ("opt-level", True, "true is not"),
        ("opt-level", -1, "-1 is not"),
        ("overflow-checks", "true", 'overflow-checks is true or false: "true" is not'),
        ("overflow-checks", 1, "1 is not"),
        ("codegen-units", 0, "codegen-units is a number from 1 to 65536: 0 is not"),
        ("codegen-units", True, "true is not"),
        ("codegen-units", "16", '"16" is not'),
        ("codegen-units", float("nan"), "nan is not"),
        ("jobs", "all", 'jobs is a number from 1 to 65536, or "auto": "all" is not'),
        ("jobs", -2, "-2 is not"),
        ("front-end-threads", 65, 'front-end-threads is a number from 1 to 64, or "share": 65 is not'),
        ("linker", "/mold", 'linker is one of "default", "fast", "mold", "lld", "wild", "bfd": "/mold" is not'),
        ("target-cpu", "x" * 41, f'at most 40): "{"x" * 41}" is not'),
        ("target-cpu", "native ", '"native " is not'),
        ("target-cpu", "", '"" is not'),
        ("profile", "a b", 'profile is the name of a profile, such as "dev" or "release": "a b" is not'),
        ("profile", "é", '"é" is not'),
        ("cuda-archs", "sm_80", 'cuda-archs is "default", "native", or architectures such as "80;90": "sm_80" is not'),
        ("cuda-archs", "80,90", '"80,90" is not'),
        ("cuda-archs", "", '"" is not'),
        ("cuda-archs", [], "a list is not"),
        ("cuda-archs", [80, True], "a list is not"),
        ("cuda-archs", [[80]], "a list is not"),
        ("cuda-archs", {}, "a table is not"),
        ("panic", "\x1b]0;x\x07" + "y" * 100, '"\\x1b]0;x\\x07' + "y" * 47 + '…" is not'),
    ],
)  # fmt: skip
def test_a_value_that_an_option_does_not_take_is_said_with_those_that_it_takes(
    option: str, value: object, why: str
) -> None:
    found = normal_value(OPTIONS[option], value)
    assert isinstance(found, Refused)
    assert why in found
    assert found.isprintable()


def test_a_number_that_is_too_long_to_be_printed_is_refused_like_any_other() -> None:
    found = normal_value(OPTIONS["codegen-units"], 16**5000)
    assert found == Refused("codegen-units is a number from 1 to 65536: a very large number is not")


def test_the_page_for_people_has_every_mode_with_what_it_is_for_and_every_option() -> None:
    page = (Path(__file__).parents[2] / "docs/modes.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name, (about, options) in BUILT_IN.items():
        (row,) = [line for line in rows if line.startswith(f"| `{name}` |")]
        assert about in row
        own = set(options) - set(BUILT_IN["dev"][1]) if "dev" in about and name != "dev" else set(options)
        assert all(f"`{option} = " in row for option in own)
    for name, option in OPTIONS.items():
        (row,) = [
            line
            for line in rows
            if f"`{name}`" in line and not line.startswith(tuple(f"| `{one}`" for one in BUILT_IN))
        ]
        assert all(f'"{word}"' in row for word in option.allowed)


# -------------------------------------------------------------------------------------------------- inheritance


def test_an_own_mode_adds_to_what_it_inherits_and_each_option_keeps_its_place() -> None:
    mode, troubles = resolved("mine", '[modes.mine]\nabout = "as I like it"\ninherits = "dev"\ndebug = 2\nlto = true')
    assert troubles == ()
    assert mode == Mode("mine", Origin("file1", 1), {
        "profile": Given("dev", Origin("mode dev")), "debug": Given("full", Origin("file1", 3)),
        "deps-debug": Given("none", Origin("mode dev")),
        "lto": Given("fat", Origin("file1", 4)), "linker": Given("fast", Origin("mode dev")),
    }, "as I like it")  # fmt: skip
    assert describe(mode) == "mine: profile dev, debug full, deps-debug none, lto fat, linker fast"


def test_a_mode_without_inherits_takes_the_place_of_the_built_in_one_of_its_name() -> None:
    mode, _ = resolved("dev", "[modes.dev]\nincremental = false")
    assert values(mode) == {"incremental": False}


def test_a_mode_that_inherits_its_own_name_gets_the_one_that_it_hides_through_all_places() -> None:
    mode, troubles = resolved(
        "dev", '[modes.dev]\ninherits = "dev"\njobs = 2', '[modes.dev]\ninherits = "dev"\nstrip = true'
    )
    assert troubles == ()
    assert values(mode) == {**BUILT_IN["dev"][1], "strip": "symbols", "jobs": 2}


def test_a_place_inherits_from_what_counts_less_and_never_from_what_counts_more() -> None:
    project = '[modes.dev]\njobs = 1\n[modes.ours]\ninherits = "theirs"'
    person = '[modes.theirs]\ninherits = "dev"'
    assert values(resolved("theirs", project, person).mode) == BUILT_IN["dev"][1]
    assert values(resolved("ours", project, person).mode) == BUILT_IN["dev"][1]
    _, (trouble,) = resolved("theirs", "[modes.theirz]\njobs = 1", '[modes.theirs]\ninherits = "theirz"')
    assert trouble.sentence == "file2, line 1: there is no mode theirz to inherit: did you mean theirs?"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('modes.a.inherits = "b"\nmodes.b.inherits = "c"\nmodes.c.inherits = "a"',
         "file1, line 3: modes inherit in a circle: a → b → c → a"),
        ('modes.a.inherits = "b"\nmodes.b.inherits = "b"',
         "file1, line 2: b inherits itself, and there is no other mode of that name below it"),
        ('modes.a.inherits = "relaese"', "file1, line 1: there is no mode relaese to inherit: did you mean release?"),
        ('modes.a.inherits = "none"', "file1, line 1: there is no mode none to inherit: there are a, dev, test, "
         "check-fast, release, release-fast, release-optimized, low-memory, cuda-iterate"),
        ("modes.a.inherits = 3", "file1, line 1: inherits is text: 3 is not"),
        ("modes.a.inherits = ['dev']", "file1, line 1: inherits is text: a list is not"),
        ("modes.a.about = true", "file1, line 1: about is text: true is not"),
        ("modes.a.lot = 'off'", "file1, line 1: there is no option lot: did you mean lto?"),
        ("modes.a.inherit = 'dev'", "file1, line 1: there is no option inherit: did you mean inherits?"),
        ("modes.a.lto.x = 'off'", 'file1, line 1: lto is one of "off", "thin-local", "thin", "fat", false, true: '
         "a table is not"),
        ("modes.a.about.x = 1", "file1, line 1: about is text: a table is not"),
        ("modes.a.'x\\u001b[31m' = 1".replace("'", '"'), "file1, line 1: there is no option x\\x1b[31m: `cargo deck "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_mode_is_said_with_its_place_and_the_mode_is_not_used(text: str, sentence: str) -> None:
    _, (trouble,) = resolved("a", text)
    assert trouble.sentence.startswith(sentence)
    assert trouble.sentence.isprintable()


def test_a_mistake_in_an_inherited_mode_is_one_of_the_heir_too() -> None:
    mode, (trouble,) = resolved("a", 'modes.a.inherits = "b"\nmodes.b.lto = 7\nmodes.b.jobs = 2')
    assert trouble.origin == Origin("file1", 2)
    assert values(mode) == {"jobs": 2}


def test_a_thousand_modes_in_a_row_are_looked_at_as_far_as_anybody_would_write_them() -> None:
    layer, _ = layer_of("\n".join(f'modes.m{n}.inherits = "m{n + 1}"' for n in range(1000)))
    found = resolve("m0", (layer,))
    assert found is not None
    assert [one.why for one in found.troubles] == ["more than 20 modes inherit from one another"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("modes = 3", "modes is a table of modes: write [modes.NAME] on a line of its own"),
        ("[[modes]]\nlto = 'off'", "modes is a table of modes: write [modes.NAME] on a line of its own"),
        ("modes.fast = 'dev'", "modes.fast is a table: write [modes.NAME] on a line of its own"),
        ("[[modes.fast]]\nlto = 'off'", "modes.fast is a table: write [modes.NAME] on a line of its own"),
        ("modes.'a b'.lto = 'off'", '"a b" cannot be a mode\'s name: it has letters, digits, - and _, at most 40'),
        ("modes.''.lto = 'off'", '"" cannot be a mode\'s name'),
        ('modes."a\\u001b[2J".lto = "off"', '"a\\x1b[2J" cannot be a mode\'s name'),
        ('modes."a\\u202Eb".lto = "off"', '"a\\u202eb" cannot be a mode\'s name'),
        (f"modes.{'x' * 41}.lto = 'off'", "cannot be a mode's name"),
        ("modes.ä-b.lto = 'off'".replace("ä-b", '"ä-b"'), "cannot be a mode's name"),
        ("modes.none.lto = 'off'", 'no mode can be named "none": that word means that none is wanted'),
        ("modes.none.lto = 'off'\nmodes.none.jobs = 1", 'no mode can be named "none"'),
    ],
)
def test_what_is_no_mode_is_said_once_and_leaves_the_others(text: str, why: str) -> None:
    layer, (trouble,) = layer_of(text)
    assert layer == {}
    assert trouble.why.startswith(why) or why in trouble.why
    assert trouble.origin == Origin("deck.toml", 1)
    assert trouble.why.isprintable()
    if not text.startswith(("modes = 3", "[[modes]]")):
        layer, _ = layer_of(text + "\n[modes.good]\njobs = 1")
        assert list(layer) == ["good"]


def test_of_a_thousand_mistakes_the_first_ten_are_looked_at(world: World) -> None:
    world.deck.write_text('mode = "a"\n[modes.a]\n' + "\n".join(f"x{n} = 1" for n in range(1000)))
    assert len(world.choose().troubles) == 10
    world.deck.write_text("\n".join(f"x{n} = 1" for n in range(1000)))
    assert len(world.choose().troubles) == 10
    world.deck.write_text("\n".join(f"modes.'x {n}'.lto = 1" for n in range(1000)))
    assert len(world.choose().troubles) == 10
    world.deck.write_text("\n".join(f"modes.x{n}.lto = 1" for n in range(1000)))
    assert world.choose("dev").troubles == ()
    assert len(list_troubles(world.own())) == 100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("modes.a.incremental = true\nmodes.a.cache = 'sccache'",
         'file1, line 1: incremental = true, but line 2 says cache = "sccache": '
         "sccache keeps nothing that is compiled incrementally; take one of them away"),
        ("modes.a.inherits = 'release-fast'\nmodes.a.cache = 'sccache'",
         'file1, line 2: cache = "sccache", but mode release-fast says incremental = true: '),
        ("modes.a.inherits = 'release-optimized'\nmodes.a.backend = 'cranelift'",
         'file1, line 2: backend = "cranelift", but mode release-optimized says lto = "fat": '
         "cranelift cannot optimize across crates"),
        ("modes.a.inherits = 'b'\nmodes.a.lto = 'thin'\nmodes.b.backend = 'cranelift'",
         'file1, line 2: lto = "thin", but line 3 says backend = "cranelift": '),
        ("modes.a.inherits = 'low-memory'\nmodes.a.split-debuginfo = 'packed'",
         'file1, line 2: split-debuginfo = "packed", but mode low-memory says debug = "none": '
         "there is no debug information to put beside the program"),
    ],
)  # fmt: skip
def test_options_that_exclude_each_other_are_said_with_both_places(text: str, sentence: str) -> None:
    _, (trouble,) = resolved("a", text)
    assert trouble.sentence.startswith(sentence)


@pytest.mark.parametrize(
    "options",
    [
        {"incremental": False, "cache": "sccache"},
        {"incremental": True, "cache": "none"},
        {"lto": "off", "backend": "cranelift"},
        {"split-debuginfo": "packed"},
        {"split-debuginfo": "packed", "debug": "none", "deps-debug": "full"},
        {"split-debuginfo": "off", "debug": "none"},
        {"codegen-units": 1, "incremental": True},
        {"panic": "abort"},
    ],
)
def test_options_that_go_together_are_no_contradiction(options: dict[str, Any]) -> None:
    assert contradictions({name: Given(value, Origin("f")) for name, value in options.items()}) == ()


def test_a_circle_is_the_same_mistake_whoever_leads_into_it() -> None:
    text = "modes.x.inherits = 'b'\nmodes.b.inherits = 'a'\nmodes.a.inherits = 'b'"
    assert {resolved(name, text).troubles for name in "abx"} == {
        (Trouble(Origin("file1", 2), "modes inherit in a circle: a → b → a"),)
    }


def test_an_heir_can_take_a_contradiction_away() -> None:
    mode, troubles = resolved(
        "a", "modes.a.inherits = 'release-fast'\nmodes.a.cache = 'sccache'\nmodes.a.incremental = false"
    )
    assert troubles == ()
    assert values(mode)["incremental"] is False


def test_every_mistake_of_a_file_is_listed_once_whoever_inherits_it() -> None:
    layer, _ = layer_of("modes.a.inherits = 'b'\nmodes.b.lto = 7\nmodes.c.inherits = 'b'\nmodes.c.x = 1")
    assert [one.origin.line for one in layer_troubles((layer, built_in()))] == [2, 4]


def test_no_mode_is_described_as_that() -> None:
    assert describe(Mode()) == "none: nothing is set that cargo would not do by itself"
    assert describe(resolved("release").mode) == "release: profile release"
    assert describe(Mode("x", Origin(""), {"incremental": Given(True, Origin("f"))})) == "x: incremental true"


# ------------------------------------------------------------------------------------------------------- choice


def test_without_files_variables_and_flag_there_is_no_mode_and_nothing_to_say(world: World) -> None:
    assert world.choose() == Chosen()


def test_the_flag_counts_more_than_variables_they_more_than_the_project_and_that_more_than_the_person(
    world: World,
) -> None:
    world.deck.write_text('bare-names = true\nmode = "release"\n')
    world.config.write_text('theme = "dark"\nmode = "test"\n')
    places = [
        (Origin("--mode"), "dev"), (Origin("DECK_MODE"), "low-memory"), (Origin("MODE"), "release-fast"),
        (Origin(str(world.deck), 2), "release"), (Origin(str(world.config), 2), "test"),
    ]  # fmt: skip
    env = {"DECK_MODE": "low-memory", "MODE": "release-fast"}
    for start in range(5):
        chosen = world.choose("dev" if start == 0 else None, **env)
        assert (chosen.mode.chosen_by, chosen.mode.name) == places[start]
        assert chosen.others == tuple(places[start + 1 :])
        assert (chosen.troubles, chosen.is_refused) == ((), False)
        assert values(chosen.mode) == BUILT_IN[places[start][1]][1]
        [env.pop(name, None) for name in ("DECK_MODE", "MODE")[:start]]
        if start == 3:
            world.deck.write_text("bare-names = true\n")


def test_a_bare_name_counts_only_where_the_project_says_so(world: World) -> None:
    assert world.choose(MODE="dev") == Chosen()
    world.config.write_text("bare-names = true\n")
    assert world.choose(MODE="dev").mode == Mode()
    world.deck.write_text("bare-names = false\n")
    assert world.choose(MODE="dev").mode == Mode()
    world.deck.write_text("bare-names = true\n")
    assert world.choose(MODE="dev").mode.name == "dev"


@pytest.mark.parametrize("name", ["MODE", "DECK_MODE"])
def test_an_empty_variable_says_nothing(world: World, name: str) -> None:
    world.deck.write_text('bare-names = true\nmode = "dev"\n')
    assert world.choose(**{name: ""}).mode.name == "dev"


def test_none_is_a_choice_and_what_counts_less_is_overruled_by_it(world: World) -> None:
    world.deck.write_text('mode = "dev"\n')
    for chosen in (world.choose("none"), world.choose(DECK_MODE="none")):
        assert (chosen.mode.name, chosen.troubles, chosen.is_refused) == ("", (), False)
        assert chosen.others == ((Origin(str(world.deck), 1), "dev"),)
    assert world.choose("none").mode.chosen_by == Origin("--mode")


def test_a_flag_that_names_no_mode_is_refused(world: World) -> None:
    for name, why in (
        ("relase", 'there is no mode "relase": did you mean release?'),
        ("", 'there is no mode "": there are dev, test, '),
        ("DEV", 'there is no mode "DEV": there are dev, '),
        ("a\x1b[2Jb", 'there is no mode "a\\x1b[2Jb": there are '),
    ):
        chosen = world.choose(name)
        assert chosen.is_refused
        assert chosen.mode.name == ""
        (trouble,) = chosen.troubles
        assert trouble.sentence.startswith(f"--mode: {why}")


@pytest.mark.parametrize("name", ["relase", "a\x1b[2J", " dev", "x" * 100_000, "\udcff"])
def test_a_variable_that_names_no_mode_gives_none_and_not_the_next(world: World, name: str) -> None:
    world.deck.write_text('mode = "dev"\n')
    chosen = world.choose(DECK_MODE=name)
    assert (chosen.mode, chosen.is_refused) == (Mode(chosen_by=Origin("DECK_MODE")), False)
    (trouble,) = chosen.troubles
    assert trouble.origin == Origin("DECK_MODE")
    assert trouble.why.isprintable()
    assert len(trouble.why) < 300
    assert chosen.others == ((Origin(str(world.deck), 1), "dev"),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mode = 3", 'mode is the name of a mode, such as "dev": 3 is not'),
        ("mode = ['dev']", 'mode is the name of a mode, such as "dev": a list is not'),
        ("mode = true", 'mode is the name of a mode, such as "dev": true is not'),
        ("mode = 1979-05-27", "there is no mode"),
        ("mode = 'devv'", 'there is no mode "devv": did you mean dev?'),
        ("mode = ''", 'there is no mode "": there are '),
        ("[mode]\nname = 'dev'", 'mode is the name of a mode, such as "dev": a table is not'),
    ],
)
def test_a_mode_of_a_file_that_is_no_name_of_one_gives_none_with_the_line(world: World, text: str, why: str) -> None:
    for path in (world.deck, world.config):
        path.write_text(f"\n{text}\n")
        chosen = world.choose()
        path.unlink()
        assert chosen.mode.name == ""
        (trouble,) = chosen.troubles
        assert trouble.origin.place == str(path)
        assert trouble.origin.line in (2, 3)
        assert trouble.why.startswith(why)


def test_a_mode_with_a_mistake_is_not_used_and_only_its_own_mistakes_are_said(world: World) -> None:
    world.deck.write_text('mode = "mine"\n[modes.mine]\nlto = "no"\njobs = 2\n[modes.other]\nlto = "no"\n')
    chosen = world.choose()
    assert chosen.mode == Mode(chosen_by=Origin(str(world.deck), 1))
    assert [one.origin.line for one in chosen.troubles] == [3]
    assert world.choose("dev").troubles == ()
    assert [one.origin.line for one in list_troubles(chosen.own)] == [3, 6]
    assert world.choose("mine").is_refused
    assert world.choose("mine").mode.name == ""


@pytest.mark.parametrize(("text", "place"), [
    ('mode = "dev"\n\n[modes.empty] # later\n', ":3"),
    ("[ modes . 'empty' ]\r\n", ":1"),
    ("# first\n[modes]\nempty = {}\n", ""),
])  # fmt: skip
def test_a_mode_without_a_line_is_said_and_refused(world: World, text: str, place: str) -> None:
    world.deck.write_text(text)
    for _ in ("parsed", "kept"):
        chosen = world.choose("empty")
        assert chosen.is_refused
        assert chosen.troubles[-1].why == "[modes.empty] has no line in it: give it one, or take it away"
        assert chosen.troubles[-1].origin.shown.endswith(f"deck.toml{place}")
        assert chosen.troubles[-1] in list_troubles(chosen.own)


def test_the_projects_mode_hides_the_persons_and_that_the_built_in_one(world: World) -> None:
    world.deck.write_text("[modes.dev]\njobs = 1\n")
    world.config.write_text("[modes.dev]\njobs = 2\n[modes.test]\njobs = 2\n")
    assert world.choose("dev").mode.options == {"jobs": Given(1, Origin(str(world.deck), 2))}
    assert world.choose("test").mode.options == {"jobs": Given(2, Origin(str(world.config), 4))}
    modes = all_modes(world.cache, str(world.root), world.env)
    assert [one.name for one in modes] == ["dev", "test", *[one for one in BUILT_IN if one not in ("dev", "test")]]
    assert modes[0].chosen_by == Origin(str(world.deck), 2)
    assert modes[2].chosen_by == Origin("mode check-fast")


def test_modes_that_cannot_be_used_are_not_offered(world: World) -> None:
    world.deck.write_text("[modes.good]\njobs = 1\n[modes.bad]\njobs = 0\n")
    listed = [one.name for one in all_modes(world.cache, str(world.root), world.env)]
    assert "good" in listed
    assert "bad" not in listed
    assert names((world.own().layers[0],)) == ["good", "bad"]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("bare-names = 'yes'", 1, 'bare-names is true or false: "yes" is not'),
        ("bare-names = 1", 1, "bare-names is true or false: 1 is not"),
        ("[bare-names]\nx = 1", 2, "bare-names is a value: a table is not"),
        ("target-dir-key = 'agent'", 1, 'target-dir-key is "checkout+agent" or "full": "agent" is not'),
        ("target-dir-key = []", 1, 'target-dir-key is "checkout+agent" or "full": a list is not'),
        ("moed = 'dev'", 1, "there is no setting moed in deck.toml: did you mean mode?"),
        ("\n[profile.dev]\ndebug = 0", 3, "there is no setting profile in deck.toml: there are mode, "),
    ],
)
def test_a_wrong_setting_of_the_project_is_said_with_its_line_and_leaves_the_others(
    world: World, text: str, line: int, why: str
) -> None:
    world.deck.write_text(f"{text}\n[modes.mine]\njobs = 1\n")
    chosen = world.choose("mine")
    assert chosen.mode.name == "mine"
    (trouble,) = chosen.troubles
    assert trouble.origin == Origin(str(world.deck), line)
    assert trouble.why.startswith(why)
    assert chosen.own.target_dir_key == Given("checkout+agent", Origin(""))


def test_the_example_for_people_can_be_used(world: World) -> None:
    page = (Path(__file__).parents[2] / "docs/modes.md").read_text()
    world.deck.write_text(page.partition("```toml\n")[2].partition("```")[0])
    chosen = world.choose()
    assert (chosen.mode.name, chosen.troubles, list_troubles(chosen.own)) == ("dev", (), ())
    assert world.choose("bench").mode.options["debug"].origin.place == str(world.deck)


def test_the_guides_key_of_target_dirs_is_carried_with_its_place(world: World) -> None:
    world.deck.write_text('target-dir-key = "full"\n')
    assert world.own().target_dir_key == Given("full", Origin(str(world.deck), 1))


def as_folder(path: Path) -> None:
    path.mkdir()


def as_loop(path: Path) -> None:
    path.symlink_to(path.name)


def as_pipe(path: Path) -> None:
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, b'mode = "dev"')
    os.close(writer)


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


BROKEN: list[tuple[Callable[[Path], object], int]] = [
    (as_folder, 0),
    (as_loop, 0),
    (holding(b'mode = "dev"\nx = "\xff"\n'), 2),
    (holding(b'mode = "dev"\n' + b"#" * 10_000_000), 0),
    (holding(b'mode = "dev"\nmode = "test"\n'), 2),
    (holding(b'mode = "dev\n'), 1),
    (holding(b'mode = "dev"\n[modes.x\n'), 2),
    (holding(b'mode = "dev"\nx = ' + b"[" * 20_000), 2),
    (holding(b'mode = "dev"\nx = ' + b"[" * 20_000 + b"]" * 20_000), 2),
    (holding(b'mode = "dev"\n' + b".".join([b"a"] * 20_000) + b" = 1\n"), 2),
    (holding(b'mode = "dev"\nx = "\x00\x1b[31m"\n'), 2),
    (holding(b'mode = "dev"\njobs = ' + b"9" * 10_000), 0),
]


@pytest.mark.parametrize(("make", "line"), BROKEN, ids=range(len(BROKEN)))
def test_a_project_file_that_cannot_be_read_gives_no_mode_not_even_the_persons(
    world: World, make: Callable[[Path], object], line: int
) -> None:
    world.config.write_text('mode = "test"\n')
    make(world.deck)
    chosen = world.choose()
    assert chosen.mode == Mode()
    (trouble,) = chosen.troubles
    assert trouble.origin.place == str(world.deck)
    assert trouble.origin.line == line or not line
    assert trouble.why
    assert world.choose("dev").mode.name == "dev"
    assert world.choose(DECK_MODE="dev").mode.name == "dev"


@pytest.mark.parametrize(("make", "line"), BROKEN, ids=range(len(BROKEN)))
def test_settings_that_cannot_be_read_leave_the_projects_mode(
    world: World, make: Callable[[Path], object], line: int
) -> None:
    world.deck.write_text('mode = "test"\n')
    make(world.config)
    chosen = world.choose()
    assert chosen.mode.name == "test"
    (trouble,) = chosen.troubles
    assert trouble.origin.place == str(world.config)
    assert trouble.origin.line == line or not line


def test_an_own_name_in_a_broken_file_is_refused_with_both_reasons(world: World) -> None:
    world.deck.write_text("[modes.mine]\njobs = 1\n[oops\n")
    chosen = world.choose("mine")
    assert chosen.is_refused
    assert [one.origin for one in chosen.troubles] == [Origin(str(world.deck), 3), Origin("--mode")]


@pytest.mark.parametrize(
    "content", [b'\xef\xbb\xbfmode = "mine"\r\n[modes.mine]\r\ninherits = "dev"\r\n\r\njobs = 2\r\n']
)
def test_a_byte_order_mark_and_the_line_ends_of_windows_change_nothing(world: World, content: bytes) -> None:
    for path in (world.deck, world.config):
        path.write_bytes(content)
        chosen = world.choose()
        path.unlink()
        assert chosen.troubles == ()
        assert chosen.mode.chosen_by == Origin(str(path), 1)
        assert chosen.mode.options["jobs"] == Given(2, Origin(str(path), 5))


def test_a_pipe_in_place_of_the_file_stops_nothing(world: World) -> None:
    as_pipe(world.deck)
    assert world.choose().mode == Mode()


def test_the_rest_of_the_persons_file_is_for_others(world: World) -> None:
    world.config.write_text('theme = "no such"\nx = 1\nmode = "dev"\n[keys]\nrun.stop = 3\n')
    chosen = world.choose()
    assert (chosen.mode.name, chosen.troubles, list_troubles(chosen.own)) == ("dev", (), ())


def test_what_nobody_chose_is_listed_too(world: World) -> None:
    world.deck.write_text('mode = "dev"\n')
    world.config.write_text('mode = "devv"\n[modes.x]\ninherits = "y"\n')
    chosen = world.choose()
    assert chosen.troubles == ()
    assert [one.origin.line for one in list_troubles(chosen.own)] == [1, 3]


# -------------------------------------------------------------------------------------------- where the file is


def test_the_project_file_is_in_the_workspace_else_in_the_checkout_around_it(tmp_path: Path) -> None:
    (tmp_path / "deck.toml").write_text("")
    root = tmp_path / "checkout/rust/ws"
    root.mkdir(parents=True)
    assert project_file(str(root)) == ""
    (tmp_path / "checkout/.git").write_text("gitdir: elsewhere")
    (tmp_path / "checkout/rust/deck.toml").write_text("")
    assert project_file(str(root)) == ""
    (tmp_path / "checkout/deck.toml").write_text("")
    assert project_file(str(root)) == str(tmp_path / "checkout/deck.toml")
    (root / "deck.toml").write_text("")
    assert project_file(str(root)) == str(root / "deck.toml")


def test_a_workspace_that_is_a_checkout_is_not_looked_above(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deck.toml").write_text("")
    (tmp_path / "ws/.git").mkdir(parents=True)
    assert project_file(str(tmp_path / "ws")) == ""


@pytest.mark.parametrize("root", ["", "/nonexistent/ws", "/dev/null/ws", "/", "relative", "/" + "x" * 5000, "/a\0b"])
def test_a_root_that_is_none_has_no_project_file(tmp_path: Path, root: str) -> None:
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    assert choose_mode("", flag=None, env=env, root=root).mode == Mode()


# ---------------------------------------------------------------------------------------------------- variables


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("YES", True), (" on ", True), ("false", False), ("0", False), ("no", False),
     ("Off", False)],
)  # fmt: skip
def test_verbose_is_said_in_the_usual_words(text: str, value: bool) -> None:
    assert read_verbose({"DECK_VERBOSE": text}, Own()) == Given(value, Origin("DECK_VERBOSE"))
    assert read_verbose({"VERBOSE": text}, Own()) is None
    assert read_verbose({"VERBOSE": text}, Own(has_bare_names=True)) == Given(value, Origin("VERBOSE"))


def test_our_own_variable_counts_more_than_the_bare_one() -> None:
    env = {"DECK_VERBOSE": "no", "VERBOSE": "yes", "DECK_FEATURES": "a", "FEATURES": "b"}
    assert read_verbose(env, Own(has_bare_names=True)) == Given(False, Origin("DECK_VERBOSE"))
    assert read_features(env, Own(has_bare_names=True)) == Given("a", Origin("DECK_FEATURES"))


def test_a_variable_that_is_neither_yes_nor_no_is_said_and_does_nothing(world: World) -> None:
    chosen = world.choose(DECK_VERBOSE="2\x1b[2J")
    assert [one.sentence for one in chosen.troubles] == ['DECK_VERBOSE: it is true or false: "2\\x1b[2J" is not']
    assert read_verbose({"DECK_VERBOSE": "2"}, Own()) is None
    assert read_verbose({}, Own()) is None
    assert world.choose(VERBOSE="2", DECK_VERBOSE="").troubles == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [("a", "a"), ("a,b", "a,b"), (" a  b ", "a,b"), ("a, ,b,", "a,b"), ("core/x dep?/y", "core/x,dep?/y")],
)
def test_features_are_given_as_cargo_takes_them(text: str, value: str) -> None:
    assert read_features({"DECK_FEATURES": text}, Own()) == Given(value, Origin("DECK_FEATURES"))
    assert read_features({"FEATURES": text}, Own()) is None
    assert read_features({"FEATURES": text}, Own(has_bare_names=True)) == Given(value, Origin("FEATURES"))


def test_features_that_a_terminal_would_obey_are_said_and_not_passed_on(world: World) -> None:
    chosen = world.choose(DECK_FEATURES="a\x1b[2J")
    (trouble,) = chosen.troubles
    assert trouble.sentence == ('DECK_FEATURES: it is names of features with commas between them: "a\\x1b[2J" is not')
    assert read_features({"DECK_FEATURES": "a\x1b[2J"}, Own()) is None
    assert read_features({"DECK_FEATURES": " , "}, Own()) is None


# ----------------------------------------------------------------------------------------------------- hot path


def test_on_the_way_to_a_build_nothing_slow_is_imported_and_no_file_is_looked_at_twice(world: World) -> None:
    world.deck.write_text('mode = "mine"\n[modes.mine]\ninherits = "dev"\n')
    os.utime(world.deck, (1, 1))
    world.config.write_text('theme = "dark"\nmode = "mine"\n')
    os.utime(world.config, (1, 1))
    script = (
        "import sys, builtins\nfrom core.plan.choose import choose_mode\n"
        "opened = []\nsys.addaudithook(lambda name, args: opened.append(args[0]) if name == 'open' else None)\n"
        f"found = choose_mode({world.cache!r}, flag=None, env={world.env!r}, root={str(world.root)!r})\n"
        "assert (found.mode.name, found.troubles) == ('mine', ()), found\n"
        "print(sorted({'tomllib', 'difflib', 'argparse', 'dataclasses', 'pathlib', 'subprocess'} & set(sys.modules)))\n"
        "print(sum(str(one).endswith('.toml') for one in opened), sum('/toml/' in str(one) for one in opened))\n"
    )

    def said() -> list[str]:
        argv = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {os.getcwd()!r})\n{script}"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()

    assert said()[0] == "['tomllib']"
    said()  # files that were written within 50 ms before they are read are not kept
    assert said() == ["[]", "0 2"]
