"""Who has a lock whose caller is gone: it lives with the open file, which a shell keeps after its `flock` has ended.

/proc/PID/fdinfo/9: lock:  1: FLOCK  ADVISORY  WRITE 7245 fe:00:613 0 EOF      7245 is gone, PID has it
"""

import os


def find_heir(inode: int, caller: int, proc: str = "/proc") -> int | None:
    """A process that has the file open by which a process that is gone locked it; None: none that is to be seen.

    Looks through all processes (10 ms at 300): only where a caller is gone.
    """
    said = f" {caller} ".encode()
    for name in sorted(filter(str.isdigit, os.listdir(proc)), key=int):
        try:
            fds = os.listdir(f"{proc}/{name}/fd")
        except OSError:
            continue  # another user's, or gone
        if any(_has_lock(f"{proc}/{name}", fd, inode, said) for fd in fds):
            return int(name)
    return None


def _has_lock(folder: str, fd: str, inode: int, said: bytes) -> bool:
    try:
        if os.stat(f"{folder}/fd/{fd}").st_ino != inode:
            return False
        with open(f"{folder}/fdinfo/{fd}", "rb") as file:
            return any(line.startswith(b"lock:") and said in line for line in file)
    except OSError:
        return False
