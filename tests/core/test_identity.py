from pathlib import Path

import pytest

from core.errors import UsageError
from core.run.identity import find_agent, workspace_root


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
