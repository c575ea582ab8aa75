from pathlib import Path

import pytest

from core.errors import UsageError
from core.run.identity import find_agent, find_workspace, workspace_root


def test_a_flag_wins_over_everything(tmp_path: Path) -> None:
    assert find_agent("a.b_c-1", {"AGENT_ID": "other"}, str(tmp_path)).name == "a.b_c-1"


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "ä", "a/b", "-\n", "[b]x"])
def test_a_bad_flag_is_refused_with_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        find_agent(name, {}, str(tmp_path))


def test_a_bad_variable_warns_and_the_folder_names_the_agent(tmp_path: Path) -> None:
    (tmp_path / "wt" / ".git").mkdir(parents=True)
    agent = find_agent(None, {"AGENT_ID": "a b"}, str(tmp_path / "wt"))
    assert (agent.name, agent.source) == ("wt", "worktree")
    assert agent.warning
    assert "AGENT_ID" in agent.warning


@pytest.mark.parametrize(("folder", "name"), [
    ("épreuve-κ", "epreuve"), ("naïve_Straße 2", "naive_Stra-e-2"), ("漢字", "agent"), ("ed\udcffge", "ed-ge"),
])  # fmt: skip
def test_letters_of_a_folder_with_accents_stay_in_the_name(folder: str, name: str, tmp_path: Path) -> None:
    assert find_agent(None, {}, str(tmp_path / folder)).name == name


def test_ci_variables_make_a_name(tmp_path: Path) -> None:
    env = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "RUNNER_NAME": "node 3"}
    assert find_agent(None, env, str(tmp_path)).name == "ci-77-node-3"


def test_the_workspace_root_is_the_outermost_with_a_workspace_table(tmp_path: Path) -> None:
    member = tmp_path / "crates" / "a"
    (member / "src").mkdir(parents=True)
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["crates/*"]\n')
    (member / "Cargo.toml").write_text('[package]\nname = "a"\n[dependencies]\nx.workspace = true\n')
    assert workspace_root(str(member / "src"), None) == str(tmp_path)
    assert workspace_root(str(tmp_path), "crates/a/Cargo.toml") == str(tmp_path)


def test_outside_of_any_package_there_is_no_root(tmp_path: Path) -> None:
    assert workspace_root(str(tmp_path), None) is None


def package(folder: Path, more: str = "") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Cargo.toml").write_text(f'[package]\nname = "{folder.name}"\n{more}')
    return str(folder)


@pytest.mark.parametrize(
    ("table", "is_out"),
    [
        ('exclude = ["left"]', True),
        ("exclude = [ # why\n  'other', # \"it\"\n  './left/', # [\n]\nresolver = '2'", True),
        ('members = ["*"]\nexclude = ["/ROOT/left"]', True),
        ('members = ["left/x"]\nexclude = ["left"]', True),
        ('members = ["left"]\nexclude = ["left"]', False),
        ('exclude = ["lef", "left/x", "le*", "gone/../left"]', False),
        ('# exclude = ["left"]', False),
        ('[workspace.metadata.x]\nexclude = ["left"]', False),
        ('[package]\nexclude = ["left"]', False),
        ('[package.metadata."x]y"]\nexclude = 3', False),
        ("exclude = 3", False),
    ],
)
def test_a_package_that_the_workspace_leaves_out_is_its_own_root(table: str, is_out: bool, tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text(f"[workspace]\n{table}\n".replace("/ROOT", str(tmp_path)))
    left = package(tmp_path / "left")
    assert workspace_root(left, None) == (left if is_out else str(tmp_path))
    assert find_workspace(left) == ([left, str(tmp_path)], "" if is_out else str(tmp_path))
    assert workspace_root(str(tmp_path), None) == str(tmp_path)


def test_what_one_workspace_leaves_out_may_belong_to_one_above(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["in/left"]\n')
    (tmp_path / "in/Cargo.toml").write_text('[workspace]\nexclude = ["left"]\n')
    assert workspace_root(package(tmp_path / "in/left"), None) == str(tmp_path)


@pytest.mark.parametrize("key", ["workspace", "package.workspace"])
def test_a_package_that_names_its_workspace_is_in_that_one(key: str, tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws/Cargo.toml").write_text("[workspace]\n")
    (tmp_path / "Cargo.toml").write_text("[workspace]\n")
    member = package(tmp_path / "far/member", f'{key} = "../../ws"\n[dependencies]\na.workspace = true\n')
    assert find_workspace(member) == ([member, str(tmp_path / "ws")], str(tmp_path / "ws"))
    lost = package(tmp_path / "lost", '[dependencies]\nworkspace = "1.0"\n')
    assert workspace_root(lost, None) == str(tmp_path)
