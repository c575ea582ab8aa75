import random
import struct

import pytest

from core.events.native import Kernel
from core.native.kernels.arch import number_of
from core.native.kernels.cubin import read_cubin
from core.native.kernels.usage import parse_usage
from tests.core.cubins import NAMES, content_of, cubin_of, said_of


@pytest.mark.parametrize("name", NAMES)
def test_a_cubin_tells_of_each_kernel_what_ptxas_said(name: str) -> None:
    said = {usage.kernel.name: usage.kernel for usage in parse_usage(said_of(name)) if usage.is_entry}
    found = {kernel.name: kernel for kernel in cubin_of(name).kernels}
    assert found.keys() == said.keys() == {"_Z5callsPfPKfi", "_Z4tilePfPKf", "_Z5heavyILi20EEvPfPKf"}
    for name_of, kernel in found.items():
        told = said[name_of]
        assert (kernel.arch, kernel.registers, kernel.stack_bytes, kernel.shared_bytes) == (
            told.arch, told.registers, told.stack_bytes, told.shared_bytes,
        )  # fmt: skip
        if told.barriers is not None:  # 11.8 does not say
            assert kernel.barriers == told.barriers
        if told.constant_bytes is not None:  # nor does any from sm_90 on
            assert kernel.constant_bytes == told.constant_bytes


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_stack_in_a_cubin_spilled_nothing(name: str) -> None:
    framed = dict(cubin_of(name).frames)
    for usage in parse_usage(said_of(name)):
        if usage.is_entry and usage.kernel.name not in framed:
            assert (usage.kernel.spill_store_bytes, usage.kernel.spill_load_bytes) == (0, 0)


def test_the_whole_of_a_kernel_is_read() -> None:
    (tile,) = [kernel for kernel in cubin_of("sm_80-13.0").kernels if kernel.name == "_Z4tilePfPKf"]
    assert tile == Kernel(
        "_Z4tilePfPKf", "sm_80", 12, stack_bytes=0, shared_bytes=1024, constant_bytes=368, barriers=1, code_bytes=384,
        block_threads=256,
    )  # fmt: skip


def test_memory_that_has_no_bytes_in_the_file_may_lie_beyond_its_end() -> None:
    """Static shared memory of a template, in code that is to be linked."""
    (said,) = [usage.kernel for usage in parse_usage(said_of("shared-sm_80-13.0-dc")) if usage.is_entry]
    (found,) = cubin_of("shared-sm_80-13.0-dc").kernels
    assert (found.name, found.arch, found.registers) == (said.name, "sm_80", said.registers)
    assert (found.stack_bytes, found.shared_bytes) == (0, 0)


def test_options_and_functions_that_a_kernel_has_a_copy_of_are_read() -> None:
    whole, later, old = cubin_of("sm_80-13.0"), cubin_of("sm_90-13.0-dc"), cubin_of("sm_80-11.8")
    assert whole.options == "-v  -maxrregcount 16 -arch sm_80 -m 64"
    assert later.options.split()[-1] == "-c"
    assert old.options == ""
    assert whole.called == {"_Z5callsPfPKfi": ("_Z3farPKfi",)}
    assert later.called == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\0" * 58, b"no ELF file" * 20, b"\x7fELF\x02\x01" + b"\xff" * 500],
    ids=["nothing", "magic", "zeros", "text", "ones"],
)  # fmt: skip
def test_what_is_no_cubin_gives_none(content: bytes) -> None:
    assert read_cubin(content) is None


def test_a_program_for_the_host_is_no_cubin() -> None:
    content = bytearray(content_of("sm_80-13.0"))
    content[18:20] = struct.pack("<H", 62)
    assert read_cubin(bytes(content)) is None


def test_a_cubin_that_is_cut_short_gives_none_or_what_is_whole() -> None:
    content = content_of("sm_100-13.0")
    whole = read_cubin(content)
    for end in range(0, len(content), 97):
        assert read_cubin(content[:end]) in (None, whole)


def test_damaged_bytes_raise_nothing_and_take_no_long() -> None:
    rng, content = random.Random(7), content_of("sm_90-13.0-dc")
    read = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 40)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        read += read_cubin(bytes(damaged)) is not None
    assert 0 < read < 400


def test_sections_that_lie_over_one_another_are_not_read_again_and_again() -> None:
    content = bytearray(content_of("sm_100-13.0"))
    at, count = struct.unpack_from("<Q", content, 40)[0], struct.unpack_from("<H", content, 60)[0]
    for index in range(1, count):
        struct.pack_into("<QQ", content, at + 64 * index + 24, 64, len(content) - 64)
        struct.pack_into("<I", content, at + 64 * index + 4, 1)
    assert read_cubin(bytes(content)) is None


@pytest.mark.parametrize(
    ("arch", "number"),
    [("sm_90", 90), ("sm_90a", 90), ("compute_100f", 100), ("sm_", 0), ("", 0), ("sm_99999999999", 0), ("native", 0)],
)
def test_the_number_of_an_arch(arch: str, number: int) -> None:
    assert number_of(arch) == number
