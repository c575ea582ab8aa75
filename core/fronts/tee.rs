//! What a child prints goes on to where ours would go, as it comes, and is kept.

use crate::inotify::{look_at, rest, wait_for_input, wait_for_room, Pipe};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// More than this is not kept.
const MAX_KEPT_BYTES: usize = 16 << 20;
const PIECE: usize = 1 << 16;

extern "C" {
    fn pipe(ends: *mut [i32; 2]) -> i32;
}

/// Copies the output of one child.
pub struct Tee {
    /// Its ends of the pipes, until the child has them.
    theirs: Vec<OwnedFd>,
    out: Option<Stream>,
    err: Stream,
}

/// One of its streams.
struct Stream {
    thread: JoinHandle<Option<Vec<u8>>>,
    /// Our end, which is the thread's: where that is over, it is closed, and who writes gets a signal.
    pipe: RawFd,
    /// What was in it may not have gone on yet, or it is over.
    is_busy: Arc<AtomicBool>,
}

impl Tee {
    /// Have a child print into it. Where our output and errors are one object, so are the child's: what it prints keeps
    /// its order. None: it cannot be; the child prints where we do.
    ///
    /// `are_two`: they are not one, whatever ours are.
    pub fn on(command: &mut Command, are_two: bool) -> Option<Tee> {
        let (out, err) = (another(&io::stdout())?, another(&io::stderr())?);
        let identity = |file: &File| file.metadata().map(|about| (about.dev(), about.ino())).ok();
        let is_one = !are_two && identity(&out).is_some() && identity(&out) == identity(&err);
        let (err_end, theirs) = new_pipe()?;
        let mut all = vec![theirs];
        let out_end = if is_one { None } else { Some(new_pipe()?) };
        let out = out_end.map(|(end, theirs)| {
            all.push(theirs);
            (end, out)
        });
        let end = |at: usize| all.get(at).unwrap_or(&all[0]).try_clone().ok();
        let (for_out, for_err) = (end(1)?, end(0)?);
        command.stdout(Stdio::from(for_out)).stderr(Stdio::from(for_err));
        let out = out.map(|(end, to)| Stream::begin(end, to));
        Some(Tee { theirs: all, out, err: Stream::begin(err_end, err) })
    }

    /// The child has begun: nobody but it writes from now on.
    pub fn let_go(&mut self, command: Command) {
        self.theirs.clear();
        drop(command); // it has the same ends
    }

    /// Once the child has ended: all that it printed, as output and errors; errors alone where they are one. None: too
    /// much to be kept, or what it left behind may print more. That is not waited for.
    pub fn end(self) -> Option<(Vec<u8>, Vec<u8>)> {
        let out = self.out.map_or(Some(Vec::new()), Stream::end);
        let err = self.err.end();
        Some((out?, err?))
    }
}

impl Stream {
    fn begin(from: File, to: File) -> Stream {
        let (pipe, is_busy) = (from.as_raw_fd(), Arc::new(AtomicBool::new(false)));
        let busy = is_busy.clone();
        Stream { thread: thread::spawn(move || copy(from, to, &busy)), pipe, is_busy }
    }

    /// Whatever the child printed has gone on.
    fn end(self) -> Option<Vec<u8>> {
        loop {
            match look_at(&self.pipe) {
                Pipe::Ended => return self.thread.join().ok().flatten(),
                Pipe::Empty if !self.is_busy.load(SeqCst) => return None,
                _ if self.thread.is_finished() => return self.thread.join().ok().flatten(),
                _ => rest(Duration::from_millis(1)),
            }
        }
    }
}

/// The same open file.
pub fn another(file: &impl AsFd) -> Option<File> {
    file.as_fd().try_clone_to_owned().ok().map(File::from)
}

/// Our end, and the one that is written to. Neither stays open in a child by itself.
fn new_pipe() -> Option<(File, OwnedFd)> {
    let mut ends = [0; 2];
    if unsafe { pipe(&mut ends) } != 0 {
        return None;
    }
    let [ours, theirs] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    // A clone is closed on exec.
    Some((File::from(ours.try_clone().ok()?), theirs.try_clone().ok()?))
}

/// Also where somebody has said that writing there does not wait.
pub fn write_whole(to: &mut File, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match to.write(text) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(size) => text = &text[size..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_for_room(to),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where nobody reads any more, nobody writes any more either: as without us, the child gets a signal. What cannot be
/// written for another reason, as on a full disk, is lost, and the child goes on.
fn copy(mut from: File, mut to: File, is_busy: &AtomicBool) -> Option<Vec<u8>> {
    let mut kept = Some(Vec::new());
    let mut piece = vec![0; PIECE];
    loop {
        is_busy.store(false, SeqCst);
        wait_for_input(&from);
        is_busy.store(true, SeqCst); // before the pipe is empty
        let size = match from.read(&mut piece) {
            Ok(0) => return kept,
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        match write_whole(&mut to, &piece[..size]) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Err(_) => kept = None,
        }
        let has_room = kept.as_ref().is_some_and(|kept| kept.len() + size <= MAX_KEPT_BYTES);
        match &mut kept {
            Some(kept) if has_room => kept.extend_from_slice(&piece[..size]),
            _ => kept = None,
        }
    }
}
