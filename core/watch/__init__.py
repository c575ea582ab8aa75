"""Looking at what runs: processes, locks, pressure."""
