//! A process that works for this one: signals that are meant for it, its end, and what it took.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::time::{Duration, Instant};

const SIGNALS: [i32; 4] = [1, 2, 3, 15]; // HUP INT QUIT TERM
const IGNORED: usize = 1;
/// The process that does the work for us; 0: none.
pub static CHILD: AtomicI32 = AtomicI32::new(0);
/// Nothing is under way that must be brought to an end.
static IS_IDLE: AtomicBool = AtomicBool::new(false);
/// The last signal that was meant for us alone; 0: none came.
pub static ASKED_TO_END: AtomicI32 = AtomicI32::new(0);
const P_PID: i32 = 1;
const HAS_ENDED: i32 = 4;
const LEAVE_IT: i32 = if cfg!(target_os = "linux") { 0x0100_0000 } else { 0x20 };
/// What the tool left behind is waited for so long.
const REST_LIMIT: Duration = Duration::from_secs(5);

extern "C" {
    fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut Usage) -> i32;
    fn waitid(which: i32, id: u32, found: *mut [u64; 16], options: i32) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
    fn kill(pid: i32, number: i32) -> i32;
    fn getpid() -> i32;
    fn setrlimit(resource: i32, limit: *const [u64; 2]) -> i32;
    fn fork() -> i32;
    fn dup2(old: i32, new: i32) -> i32;
    #[cfg(target_os = "linux")]
    fn prctl(option: i32, value: usize, more: usize, than: usize, needed: usize) -> i32;
}

/// `struct rusage` on 64-bit systems.
#[repr(C)]
#[derive(Default)]
pub struct Usage {
    pub user: [i64; 2],
    pub system: [i64; 2],
    pub max_rss: i64,
    rest: [i64; 13],
}

impl Usage {
    /// With what another process took: the largest counts.
    fn add(&mut self, other: &Usage) {
        self.max_rss = self.max_rss.max(other.max_rss);
        for at in 0..2 {
            self.user[at] += other.user[at];
            self.system[at] += other.system[at];
        }
    }
}

/// Status and figures of a child, once it has ended.
pub fn wait_for(child: i32) -> (i32, Usage) {
    let (mut status, mut usage) = (0, Usage::default());
    // Not taken yet: as long as nobody else can have its number, signals are passed on to it.
    while unsafe { waitid(P_PID, child as u32, &mut [0; 16], HAS_ENDED | LEAVE_IT) } < 0 && was_interrupted() {}
    CHILD.store(0, SeqCst);
    while unsafe { wait4(child, &mut status, 0, &mut usage) } < 0 {
        if !was_interrupted() {
            exit(125);
        }
    }
    (status, usage)
}

fn was_interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

/// From now on, a signal that ends a tool is the tool's: it goes to the child, and that one's end is ours. A child does
/// not inherit this; what our caller ignores, both of us ignore.
pub fn pass_signals_on() {
    for number in SIGNALS {
        if unsafe { listen(number) } == IGNORED {
            unsafe { signal(number, IGNORED) };
        }
    }
}

/// Pass them on to this child, with the one that came before there was any.
pub fn pass_them_to(child: i32) {
    CHILD.store(child, SeqCst);
    pass_on(ASKED_TO_END.load(SeqCst));
}

fn pass_on(number: i32) {
    let child = CHILD.load(SeqCst);
    if child > 0 && number > 0 {
        unsafe { kill(child, number) };
    }
}

extern "C" fn take_signal(number: i32) {
    ASKED_TO_END.store(number, SeqCst);
    pass_on(number);
    if IS_IDLE.load(SeqCst) {
        die_of(number);
    }
}

/// Do something that takes long and need not be brought to an end: a signal that is meant for us ends us at once.
pub fn while_idle(act: impl FnOnce()) {
    IS_IDLE.store(true, SeqCst);
    if ASKED_TO_END.load(SeqCst) != 0 {
        die_of(ASKED_TO_END.load(SeqCst));
    }
    act();
    IS_IDLE.store(false, SeqCst);
}

/// Also in a handler: then as soon as it is left.
fn die_of(number: i32) {
    unsafe {
        signal(number, 0);
        kill(getpid(), number);
    }
}

/// Where the kernel says who sent a signal: those of a terminal go to the whole group, the child has them already.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn listen(number: i32) -> usize {
    /// `struct sigaction` of glibc and musl.
    #[repr(C)]
    struct Action {
        handler: usize,
        mask: [u64; 16],
        flags: i32,
        restorer: usize,
    }
    const WITH_SENDER_AND_RESTART: i32 = 0x1000_0004; // SA_RESTART | SA_SIGINFO
    extern "C" {
        fn sigaction(number: i32, new: *const Action, old: *mut Action) -> i32;
    }
    /// `sent`: a `siginfo_t`, its third number is `si_code`, and above 0 where the kernel sent it by itself.
    extern "C" fn take(number: i32, sent: *const [i32; 3], _: *const u8) {
        if unsafe { (*sent)[2] } <= 0 || IS_IDLE.load(SeqCst) {
            take_signal(number);
        }
    }
    let handler = take as extern "C" fn(i32, *const [i32; 3], *const u8) as usize;
    let new = Action { handler, mask: [0; 16], flags: WITH_SENDER_AND_RESTART, restorer: 0 };
    let mut old = Action { handler: 0, mask: [0; 16], flags: 0, restorer: 0 };
    sigaction(number, &new, &mut old);
    old.handler
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
unsafe fn listen(number: i32) -> usize {
    signal(number, take_signal as extern "C" fn(i32) as usize)
}

/// End as the tool did.
pub fn end_as(status: i32) -> ! {
    let dead_of = status & 0x7f;
    if dead_of == 0 {
        exit(status >> 8 & 0xff);
    }
    unsafe { setrlimit(4, &[0, 0]) }; // no second core file
    die_of(dead_of);
    exit(128 + dead_of);
}

/// How a tool ended, and what it took: members of a JSON object. `usage`: None where it did not run.
pub fn end_figures(elapsed: Duration, status: i32, usage: Option<&Usage>) -> String {
    let none = || "null".to_owned();
    let seconds = |time: [i64; 2]| format!("{:.6}", time[0] as f64 + time[1] as f64 / 1e6);
    let peak = |usage: &Usage| usage.max_rss * if cfg!(target_os = "macos") { 1 } else { 1024 };
    let signal = status & 0x7f;
    format!(
        "\"elapsed_s\":{:.6},\"user_s\":{},\"sys_s\":{},\"peak_bytes\":{},\"code\":{},\"signal\":{}",
        elapsed.as_secs_f64(),
        usage.map_or_else(none, |usage| seconds(usage.user)),
        usage.map_or_else(none, |usage| seconds(usage.system)),
        usage.map_or_else(none, |usage| peak(usage).to_string()),
        if signal == 0 { (status >> 8 & 0xff).to_string() } else { none() },
        if signal == 0 { none() } else { signal.to_string() },
    )
}

/// Go on in a child, which processes without a parent go to; this process ends as soon as it is told how the tool
/// ended. None where that is not possible.
#[cfg(target_os = "linux")]
pub fn leave_a_stand_in() -> Option<UnixStream> {
    let (mut ours, theirs) = UnixStream::pair().ok()?;
    match unsafe { fork() } {
        -1 => None,
        0 => {
            unsafe { prctl(36, 1, 0, 0, 0) }; // PR_SET_CHILD_SUBREAPER
            Some(theirs)
        }
        stand_in => {
            drop(theirs);
            pass_them_to(stand_in);
            let mut status = [0; 4];
            match ours.read_exact(&mut status) {
                Ok(()) => end_as(i32::from_ne_bytes(status)),
                Err(_) => exit(125),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub fn leave_a_stand_in() -> Option<UnixStream> {
    None
}

/// Wait for what the tool left behind, for a moment: the memory that was taken is in it. Nobody waits for us.
pub fn collect_the_rest(usage: &mut Usage) {
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        for fd in 0..3 {
            unsafe { dup2(null.as_raw_fd(), fd) }; // whoever reads what the tool prints is not kept waiting
        }
    }
    let until = Instant::now() + REST_LIMIT;
    while Instant::now() < until {
        let (mut status, mut more) = (0, Usage::default());
        match unsafe { wait4(-1, &mut status, 1, &mut more) } {
            0 => std::thread::sleep(Duration::from_millis(2)),
            -1 => return, // there is nobody left
            _ => usage.add(&more),
        }
    }
}
