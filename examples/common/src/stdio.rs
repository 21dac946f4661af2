//! Standard input and output, with errors that say so.

use std::error::Error;
use std::fmt;
use std::io::{self, BufWriter, ErrorKind, Stdin, Stdout, Write};

const BUFFER_BYTES: usize = 64 << 10;

/// Standard output, buffered. Its errors name it.
#[derive(Debug)]
pub struct Output(BufWriter<Stdout>);

impl Output {
    /// Returns the process's standard output.
    pub fn stdout() -> Self {
        Self(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()))
    }

    /// Fails if it is closed, as the first write would.
    pub(crate) fn check(self) -> io::Result<Self> {
        closed::check_stdout().map(|()| self)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        closed::check_stdout().and_then(|()| self.0.write(bytes)).map_err(|error| unwritable("standard output", error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(|error| unwritable("standard output", error))
    }
}

/// Returns standard input.
///
/// # Errors
///
/// If it is closed. The standard library would read it as empty.
pub fn stdin() -> io::Result<Stdin> {
    closed::check_stdin().map(|()| io::stdin())
}

/// What an `io::Error` of an output holds.
#[derive(Debug)]
pub(crate) struct Unwritable {
    name: String,
    error: io::Error,
}

/// The error for what went wrong with writing to something of this name.
pub(crate) fn unwritable(name: &str, error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Unwritable>) {
        return error;
    }
    io::Error::new(error.kind(), Unwritable { name: name.into(), error })
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error.kind() {
            ErrorKind::BrokenPipe => write!(f, "{} was closed before everything was written", self.name),
            _ => write!(f, "cannot write {}: {}", self.name, self.error),
        }
    }
}

impl Error for Unwritable {}

/// Rust opens `/dev/null` in place of a standard stream that is closed, before `main` runs. A
/// program that wants to say so must look earlier.
#[cfg(all(target_os = "linux", not(miri)))]
mod closed {
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::AtomicI32;
    use std::sync::atomic::Ordering::Relaxed;

    use rustix::io::Errno;

    static STDIN: AtomicI32 = AtomicI32::new(0);
    static STDOUT: AtomicI32 = AtomicI32::new(0);

    #[used]
    // SAFETY: the linker's list of functions without arguments that run before `main`; `look` needs
    // nothing of the standard library's runtime.
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        let error = |stream: BorrowedFd<'_>| rustix::io::fcntl_getfd(stream).err().map_or(0, Errno::raw_os_error);
        // ORDERING: Relaxed: no other thread runs yet.
        STDIN.store(error(rustix::stdio::stdin()), Relaxed);
        // ORDERING: as above.
        STDOUT.store(error(rustix::stdio::stdout()), Relaxed);
    }

    fn check(error: &AtomicI32) -> io::Result<()> {
        // ORDERING: Relaxed: stored before `main`.
        match error.load(Relaxed) {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    pub(super) fn check_stdin() -> io::Result<()> {
        check(&STDIN)
    }

    pub(super) fn check_stdout() -> io::Result<()> {
        check(&STDOUT)
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod closed {
    use std::io;

    pub(super) fn check_stdin() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn check_stdout() -> io::Result<()> {
        Ok(())
    }
}
