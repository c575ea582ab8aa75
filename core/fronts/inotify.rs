//! Files that appear in a folder, as the kernel tells them; nothing where it cannot.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
#[cfg(not(target_os = "linux"))]
use std::path::PathBuf;
use std::time::Duration;

const INPUT: i16 = 1;
const OUTPUT: i16 = 4;
const ENDED: i16 = 0x38; // POLLERR, POLLHUP, POLLNVAL

/// What is known of a pipe that is read.
pub enum Pipe {
    Empty,
    HasInput,
    /// Nobody writes into it any more.
    Ended,
}

#[repr(C)]
struct Poll {
    fd: i32,
    events: i16,
    found: i16,
}

extern "C" {
    fn poll(files: *mut Poll, count: usize, timeout_ms: i32) -> i32;
}

/// Wait until something appeared, or the other end of `stop` is closed: true then.
pub fn wait(events: Option<&Inotify>, mut stop: &UnixStream, limit: Duration) -> bool {
    let event_file = events.map_or(-1, Inotify::fd); // what is negative is passed over
    let mut files =
        [Poll { fd: event_file, events: INPUT, found: 0 }, Poll { fd: stop.as_raw_fd(), events: INPUT, found: 0 }];
    let limit_ms = limit.as_micros().div_ceil(1000) as i32;
    unsafe { poll(files.as_mut_ptr(), files.len(), limit_ms) };
    files[1].found != 0 && stop.read(&mut [0]).is_ok_and(|size| size == 0)
}

/// Do nothing for a while, or until there is a signal.
pub fn rest(limit: Duration) {
    unsafe { poll(std::ptr::null_mut(), 0, limit.as_millis() as i32) };
}

/// Wait until there is something to read, or nobody writes any more.
pub fn wait_for_input(file: &impl AsRawFd) {
    ask(file, INPUT, -1);
}

/// How a pipe is now, at our end of it.
pub fn look_at(file: &impl AsRawFd) -> Pipe {
    match ask(file, INPUT, 0) {
        Some(0) => Pipe::Empty,
        Some(found) if found & ENDED == 0 => Pipe::HasInput,
        _ => Pipe::Ended,
    }
}

/// Wait until a file takes more.
pub fn wait_for_room(file: &impl AsRawFd) {
    ask(file, OUTPUT, -1);
}

/// What there is of one file. None: it cannot be asked.
fn ask(file: &impl AsRawFd, events: i16, timeout_ms: i32) -> Option<i16> {
    let mut files = [Poll { fd: file.as_raw_fd(), events, found: 0 }];
    (unsafe { poll(files.as_mut_ptr(), files.len(), timeout_ms) } >= 0).then_some(files[0].found)
}

#[cfg(target_os = "linux")]
pub use linux::{leave, wait_unless_ended, Inotify};

#[cfg(target_os = "linux")]
mod linux {
    use super::{poll, Poll, INPUT};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    const CREATED_OR_MOVED_HERE: u32 = 0x100 | 0x80;
    const NO_WAIT_AND_CLOSED_ON_EXEC: i32 = 0o4000 | 0o2_000_000;
    const HEAD: usize = 16;

    extern "C" {
        fn inotify_init1(flags: i32) -> i32;
        fn inotify_add_watch(fd: i32, path: *const u8, mask: u32) -> i32;
        fn fork() -> i32;
        fn syscall(number: i64, first: u32, second: u32, third: u32) -> i64;
        fn _exit(code: i32) -> !;
    }

    /// Folders that are watched.
    pub struct Inotify {
        file: File,
        folders: Vec<(i32, PathBuf)>,
    }

    /// Wait until something is to be read. False: the child has ended before that, or its end cannot be waited for.
    pub fn wait_unless_ended(child: i32, bell: &UnixStream) -> bool {
        const PIDFD_OPEN: i64 = 434;
        let found = unsafe { syscall(PIDFD_OPEN, child as u32, 0, 0) } as i32;
        if found < 0 {
            return false;
        }
        let end = unsafe { File::from_raw_fd(found) };
        let mut files = [end.as_raw_fd(), bell.as_raw_fd()].map(|fd| Poll { fd, events: INPUT, found: 0 });
        unsafe { poll(files.as_mut_ptr(), files.len(), -1) };
        files[0].found == 0 && files[1].found & INPUT != 0
    }

    /// Let go of it in a process that nobody waits for: the kernel takes up to 20 ms.
    pub fn leave(events: Inotify) {
        const CLOSE_RANGE: i64 = 436;
        let fd = events.fd() as u32;
        if unsafe { fork() } == 0 {
            unsafe {
                // Who reads what we print waits for all who could.
                syscall(CLOSE_RANGE, 0u32, fd.saturating_sub(1), 0u32);
                syscall(CLOSE_RANGE, fd + 1, u32::MAX, 0u32);
                _exit(0);
            }
        }
    }

    impl Inotify {
        /// None: none of them can be watched.
        pub fn on(folders: Vec<PathBuf>) -> Option<Inotify> {
            let fd = unsafe { inotify_init1(NO_WAIT_AND_CLOSED_ON_EXEC) };
            if fd < 0 {
                return None;
            }
            let file = unsafe { File::from_raw_fd(fd) };
            let watch = |folder: PathBuf| {
                let path = [folder.as_os_str().as_bytes(), b"\0"].concat();
                let number = unsafe { inotify_add_watch(fd, path.as_ptr(), CREATED_OR_MOVED_HERE) };
                (number >= 0).then_some((number, folder))
            };
            let folders: Vec<_> = folders.into_iter().filter_map(watch).collect();
            (!folders.is_empty()).then_some(Inotify { file, folders })
        }

        pub fn fd(&self) -> i32 {
            self.file.as_raw_fd()
        }

        /// Folder and name of what has appeared since; names that are no UTF-8 are left out.
        pub fn read(&self) -> Vec<(PathBuf, String)> {
            let mut found = Vec::new();
            let mut buffer = [0; 1 << 14];
            while let Ok(size) = (&self.file).read(&mut buffer) {
                if size < HEAD {
                    break;
                }
                self.add(&buffer[..size], &mut found);
            }
            found
        }

        /// `struct inotify_event`: watch, mask, cookie and length, of 4 bytes each, and a name that ends with zeros.
        fn add(&self, mut events: &[u8], found: &mut Vec<(PathBuf, String)>) {
            let number = |at: usize, bytes: &[u8]| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            while events.len() >= HEAD {
                let (watch, size) = (number(0, events) as i32, number(12, events) as usize);
                let Some(name) = events.get(HEAD..HEAD + size) else { return };
                events = &events[HEAD + size..];
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                let folder = self.folders.iter().find(|(known, _)| *known == watch);
                if let (Some((_, folder)), Ok(name)) = (folder, std::str::from_utf8(name)) {
                    found.push((folder.clone(), name.to_owned()));
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub struct Inotify;

#[cfg(not(target_os = "linux"))]
pub fn leave(_: Inotify) {}

#[cfg(not(target_os = "linux"))]
pub fn wait_unless_ended(_: i32, _: &UnixStream) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
impl Inotify {
    pub fn on(_: Vec<PathBuf>) -> Option<Inotify> {
        None
    }

    pub fn fd(&self) -> i32 {
        -1
    }

    pub fn read(&self) -> Vec<(PathBuf, String)> {
        Vec::new()
    }
}
