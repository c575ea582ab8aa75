"""The builds: what they are, how they run, what they did. Draws nothing."""
