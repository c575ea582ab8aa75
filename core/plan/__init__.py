"""The optimized build, and why: from what was found and what is wanted to settings, each with its reason."""
