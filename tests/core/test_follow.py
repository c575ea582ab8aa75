import ctypes
import os
from pathlib import Path

from core.parsers.projection import Projection
from core.run.follow import Copier, View


def copier(log: Path, fd: int) -> Copier:
    return Copier(View(str(log), fd, Projection(cut_json=False, cut_progress=False)))


def test_everything_is_copied_to_a_reader_that_is_slow(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    content = os.urandom(300_000)
    log.write_bytes(content)
    read, write = os.pipe()
    job = copier(log, write)
    seen = b""
    while job.step() or job.pending:
        seen += os.read(read, 65536)
    os.close(write)
    while chunk := os.read(read, 65536):
        seen += chunk
    assert seen == content
    os.close(read)


def test_a_reader_that_is_gone_is_noticed_and_does_not_end_us(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    log.write_bytes(b"x" * 100_000)
    read, write = os.pipe()
    os.close(read)
    job = copier(log, write)
    job.step()
    assert job.is_closed
    assert not job.pending
    os.close(write)


def test_a_pipe_that_the_caller_made_non_blocking_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    content = os.urandom(500_000)
    log.write_bytes(content)
    read, write = os.pipe()
    os.set_blocking(write, False)
    job = copier(log, write)
    job.may_block = False  # what poll says of a socket that takes a part
    seen = b""
    while job.step() or job.pending:
        assert not job.is_closed
        seen += os.read(read, 65536)
    os.close(write)
    while chunk := os.read(read, 65536):
        seen += chunk
    assert seen == content
    os.close(read)


def test_a_hole_that_was_punched_before_we_read_it_is_said(tmp_path: Path) -> None:
    log, out = tmp_path / "out.log", tmp_path / "copy"
    block = 4096
    log.write_bytes(b"a" * block * 4 + b"b" * block * 8 + b"c" * block * 4)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(log, os.O_RDWR)
    assert libc.fallocate(fd, 3, ctypes.c_long(block * 4), ctypes.c_long(block * 8)) == 0, "no hole punching here"
    os.close(fd)
    target = os.open(out, os.O_WRONLY | os.O_CREAT)
    job = copier(log, target)
    job.step()
    os.close(target)
    text = out.read_bytes()
    assert text.startswith(b"a" * block * 4 + b"\ncargo-deck: 32768 bytes of output were removed here")
    assert text.endswith(b"\n" + b"c" * block * 4)


def test_zeros_that_a_program_printed_are_no_hole(tmp_path: Path) -> None:
    log, out = tmp_path / "out.log", tmp_path / "copy"
    content = b"x" + bytes(20_000) + b"y"
    log.write_bytes(content)
    target = os.open(out, os.O_WRONLY | os.O_CREAT)
    copier(log, target).step()
    os.close(target)
    assert out.read_bytes() == content
