"""Compiler caches whose server would compile outside of a scratch world: builds there go without, or in a copy."""

from pathlib import Path

from core.native.proofs.cache_servers import calls_server, without_servers
from core.native.staleness.cover import Cover
from core.native.staleness.stale import Case
from core.native.traces.directives import Directives
from core.native.traces.fingerprint import ScriptRun
from core.paths import Paths


def case(out_dir: Path) -> Case:
    script = ScriptRun("app", "0", "debug", "", "", str(out_dir), 1, 2, Directives())
    return Case(script, (), Cover(script))


def test_rustc_and_new_trees_of_cmake_are_called_without_one(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "app"\n')
    paths, cwd = Paths(str(tmp_path), str(tmp_path)), str(tmp_path)
    env = {"HOME": str(tmp_path), "CMAKE_CXX_COMPILER_LAUNCHER": "/x/sccache", "CMAKE_C_COMPILER_LAUNCHER": "ccache"}
    kept = {"HOME": str(tmp_path), "CMAKE_C_COMPILER_LAUNCHER": "ccache"}
    assert without_servers(paths, cwd, env) == kept
    assert without_servers(paths, cwd, {**env, "RUSTC_WRAPPER": "/x/sccache"}) == {**kept, "RUSTC_WRAPPER": ""}
    assert without_servers(paths, cwd, {**env, "RUSTC_WRAPPER": "mine"}) == {**kept, "RUSTC_WRAPPER": "mine"}
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text('[build]\nrustc-wrapper = "sccache"\n')
    assert without_servers(paths, cwd, kept) == {**kept, "RUSTC_WRAPPER": ""}


def test_what_is_called_through_one_all_the_same_needs_a_copy(tmp_path: Path) -> None:
    assert not calls_server([], {"CC": "ccache cc", "PATH": "/x/sccache"})
    assert calls_server([], {"CC": "sccache cc"})
    assert calls_server([], {"CXX_x86_64_unknown_linux_gnu": "/x/sccache c++"})
    tree = tmp_path / "out/build"
    tree.mkdir(parents=True)
    (tree / "CMakeCache.txt").write_text("CMAKE_CXX_COMPILER:FILEPATH=/usr/bin/c++\n")
    assert not calls_server([case(tmp_path / "out")], {})
    (tree / "CMakeCache.txt").write_bytes(b"\xff\nCMAKE_CUDA_COMPILER_LAUNCHER:STRING=/bin/env;/x/sccache\n")
    assert calls_server([case(tmp_path / "out")], {})
