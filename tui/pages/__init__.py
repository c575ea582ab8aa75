"""What stands beside a run's log, a module a tab: pure functions from what is known to rows and words."""
