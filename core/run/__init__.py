"""Starting, supervising and stopping one build."""
