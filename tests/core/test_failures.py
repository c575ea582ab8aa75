"""What logs say of failures that settings brought about."""

import pytest

from core.watch.failures import FailureReader, LinkerFault, Refusal
from tests.cpu import least_cpu_s

_HEAD = b'error: linking with `cc` failed: exit status: 1\n  |\n  = note:  "cc" "-m64" "x.o" "error: in a name"\n'
_TAIL = b"          \n\nerror: aborting due to 1 previous error\n\n"


def _read(said: bytes, *, is_ours: bool = True) -> list[LinkerFault | Refusal]:
    return FailureReader(has_linker_of_ours=is_ours).feed(said)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            b"  = note: cc: error: unrecognized command-line option '-fuse-ld=mold'; did you mean '-fuse-ld=gold'?\n",
            "cc: error: unrecognized command-line option '-fuse-ld=mold'; did you mean '-fuse-ld=gold'?",
        ),
        (
            b"  = note: clang: error: invalid linker name in argument '-fuse-ld=wild'\n",
            "clang: error: invalid linker name in argument '-fuse-ld=wild'",
        ),
        (
            b"  = note: collect2: fatal error: ld terminated with signal 11 [Segmentation fault]\n"
            b"          compilation terminated.\n",
            "collect2: fatal error: ld terminated with signal 11 [Segmentation fault]",
        ),
        (
            b"  = note: mold: fatal: library not supported: foo\n          collect2: error: ld returned 1\n",
            "mold: fatal: library not supported: foo",
        ),
        (
            b"  = note: collect2: fatal error: cannot find 'ld'\n          compilation terminated.\n",
            "collect2: fatal error: cannot find 'ld'",
        ),
    ],
)
def test_a_linkers_own_failure_is_told_in_its_words_at_every_cut(said: bytes, fault: str) -> None:
    whole = (_HEAD + said + _TAIL).replace(b"error:", b"\x1b[1merror\x1b[0m:", 1)
    for cut in range(len(whole)):
        reader = FailureReader(has_linker_of_ours=True)
        assert reader.feed(whole[:cut]) + reader.feed(whole[cut:]) == [LinkerFault(fault)]


@pytest.mark.parametrize(
    "said",
    [
        b"  = note: mold: error: undefined symbol: nosuch\n          >>> referenced by u.rs\n",
        b"  = note: /usr/bin/ld: u.o: in function `main':\n          u.rs:2: undefined reference to `nosuch'\n",
        b"  = note: rust-lld: error: unable to find library -lfoo\n          collect2: error: ld returned 1\n",
        b"  = note: /usr/bin/ld: cannot find -lfoo: No such file or directory\n",
        b"  = note: collect2: fatal error: ld terminated with signal 9 [Killed]\n          compilation terminated.\n",
        b"  = note: mold: fatal: write failed: No space left on device\n",
        b"  = note: mold: fatal: cannot open /nonexist/foo.o: No such file or directory\n",
        b"  = note: cc: error: foo.o: No such file or directory\n",
        b"  = note: cc: error: unrecognized command-line option '-mine'\n",
        b"  = note: mold: fatal: cannot open libfoo.so: Permission denied\n",
        b"  = note: /usr/bin/ld: final link failed: Disk quota exceeded\n",
    ],
)
def test_what_any_linker_would_say_is_not_the_linkers_failure(said: bytes) -> None:
    tail = b"          collect2: error: ld returned 1 exit status\n" + _TAIL
    assert _read(_HEAD + said + tail) == []


def test_a_link_of_the_toolchains_own_linker_is_not_looked_at() -> None:
    said = b"  = note: collect2: fatal error: cannot find 'ld'\n"
    assert _read(_HEAD + said + _TAIL, is_ours=False) == []


def test_two_failed_links_are_two_faults() -> None:
    one = _HEAD + b"  = note: mold: internal error: one\n"
    assert _read(one + one + _TAIL) == [LinkerFault("mold: internal error: one")] * 2


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (
            b"  process didn't exit successfully: `target/debug/app --x` (signal: 4, SIGILL: illegal instruction)\n",
            "app",
        ),
        (
            b"  process didn't exit successfully: `/w/target/debug/build/a-12/build-script-build` (signal: 4, SIGILL: "
            b"illegal instruction)\n",
            "build-script-build",
        ),
        (b"\x1b[31m     SIGILL\x1b[0m [   0.012s] (3/9) engine tests::fast\n", "engine tests::fast"),
        (b"        SIGILL [   0.012s] engine tests::fast\n", "engine tests::fast"),
        (b"./x.sh: line 3: 4711 Illegal instruction     (core dumped) ./app\n", "x.sh"),
    ],
)
def test_a_death_of_an_illegal_instruction_is_told_with_its_program(said: bytes, name: str) -> None:
    assert _read(b"ok\n" + said) == [Refusal(name)]


def test_talk_of_such_deaths_is_none() -> None:
    assert _read(b"test handles_SIGILL ... ok\nIllegal instruction set\nsignal 4 of 9\n" * 3) == []


def test_a_flood_of_deaths_is_told_in_part() -> None:
    told = _read(b"".join(b"t%d: line 1: 1 Illegal instruction\n" % number for number in range(9000)))
    assert 0 < len(told) <= 20


@pytest.mark.parametrize("piece", [b"/", b"a ", b": line ", b": line 1: ", b"`", b"SIGILL [", b"\x1b[", b"x="])
def test_long_lines_are_looked_at_in_linear_time(piece: bytes) -> None:
    def cost_s(count: int) -> float:
        said = piece * count + b" SIGILL Illegal instruction (signal: 4 terminated with signal 4 x\n"
        return least_cpu_s(lambda: _read(_HEAD + said * 20))

    assert cost_s(60_000) < 15 * cost_s(6000) + 0.05


def test_hostile_bytes_are_read_in_bounded_memory() -> None:
    reader = FailureReader(has_linker_of_ours=True)
    assert reader.feed(_HEAD) == []
    for _ in range(50):
        assert reader.feed(b"\xff\x00\x1b[" * 5000) == []
    assert reader.feed(b"\n" * 1000) == []
