"""Starting, supervising and stopping one build."""

import os

PARENT = os.getppid()
"""Who started this process, asked as early as possible: its death ends the builds that it owns."""
