"""What advice would gain in a project, the split of its native part among it."""
