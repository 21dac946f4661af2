//! Finds the limit of the process that a failed request reached.

use std::fmt;
use std::io;

/// A limit of the process that a failed request reached.
///
/// Only Linux tells the limit. Errors of other systems name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// The size of the address space in bytes (`ulimit -v`).
    AddressSpace(u64),
    /// The size of private writable memory in bytes (`ulimit -d`).
    Data(u64),
    /// The size of locked memory in bytes (`ulimit -l`). Mappings of a process that called
    /// `mlockall` count.
    Locked(u64),
    /// The number of mappings (`vm.max_map_count`).
    Mappings(u64),
    /// The size of a file in bytes (`ulimit -f`).
    FileSize(u64),
    /// The number of open files (`ulimit -n`).
    OpenFiles(u64),
}

impl Limit {
    /// Returns the limit that a private mapping of `len` bytes reached.
    pub(crate) fn met_by_private_mapping(error: &io::Error, len: usize) -> Option<Self> {
        system::met_by_mapping(error, len, true)
    }

    /// Returns the limit that a shared mapping of `len` bytes reached.
    #[cfg(all(any(unix, windows), target_has_atomic = "64"))]
    pub(crate) fn met_by_shared_mapping(error: &io::Error, len: usize) -> Option<Self> {
        system::met_by_mapping(error, len, false)
    }

    /// Returns the limit that a call on a file reached.
    #[cfg(all(any(unix, windows), target_has_atomic = "64"))]
    pub(crate) fn met_by_file(error: &io::Error) -> Option<Self> {
        system::met_by_file(error)
    }

    /// Returns what a message says about the limit, or nothing.
    pub(crate) fn reached(limit: Option<Self>) -> impl fmt::Display {
        struct Reached(Option<Limit>);
        impl fmt::Display for Reached {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.map_or(Ok(()), |limit| write!(f, ": the process has reached its limit of {limit}"))
            }
        }
        Reached(limit)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressSpace(bytes) => write!(f, "{bytes} bytes of addresses (`ulimit -v`)"),
            Self::Data(bytes) => write!(f, "{bytes} bytes of data (`ulimit -d`)"),
            Self::Locked(bytes) => write!(f, "{bytes} bytes of locked memory (`ulimit -l`)"),
            Self::Mappings(count) => write!(f, "{count} mappings (`vm.max_map_count`)"),
            Self::FileSize(bytes) => write!(f, "{bytes} bytes of a file (`ulimit -f`)"),
            Self::OpenFiles(count) => write!(f, "{count} open files (`ulimit -n`)"),
        }
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::fs::File;
    use std::io::{self, Read};

    use super::Limit;

    /// The system keeps a few mappings for itself.
    const SPARE_MAPPINGS: u64 = 8;

    pub(super) fn met_by_mapping(error: &io::Error, len: usize, private: bool) -> Option<Limit> {
        match error.raw_os_error()? {
            libc::EAGAIN => limit(libc::RLIMIT_MEMLOCK).map(Limit::Locked),
            libc::ENOMEM => out_of_memory(len as u64, private),
            _ => None,
        }
    }

    #[cfg(target_has_atomic = "64")]
    pub(super) fn met_by_file(error: &io::Error) -> Option<Limit> {
        match error.raw_os_error()? {
            libc::EFBIG => limit(libc::RLIMIT_FSIZE).map(Limit::FileSize),
            libc::EMFILE => limit(libc::RLIMIT_NOFILE).map(Limit::OpenFiles),
            _ => None,
        }
    }

    fn out_of_memory(len: u64, private: bool) -> Option<Limit> {
        let in_use = usage();
        let exceeded =
            |kind, used: Option<u64>| limit(kind).filter(|limit| used.unwrap_or(0).saturating_add(len) > *limit);
        if let Some(limit) = exceeded(libc::RLIMIT_AS, in_use.map(|(all, _)| all)) {
            return Some(Limit::AddressSpace(limit));
        }
        if private && let Some(limit) = exceeded(libc::RLIMIT_DATA, in_use.map(|(_, data)| data)) {
            return Some(Limit::Data(limit));
        }
        let most = read_number("/proc/sys/vm/max_map_count")?;
        let mappings = count_lines("/proc/self/maps")?;
        (mappings.saturating_add(SPARE_MAPPINGS) >= most).then_some(Limit::Mappings(most))
    }

    #[cfg(target_env = "gnu")]
    type Resource = libc::__rlimit_resource_t;
    #[cfg(not(target_env = "gnu"))]
    type Resource = libc::c_int;

    /// Returns a limit of this process, or `None` if there is none.
    fn limit(kind: Resource) -> Option<u64> {
        let mut found = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `found` is a valid place for the result.
        let answer = unsafe { libc::getrlimit64(kind, &raw mut found) };
        (answer == 0 && found.rlim_cur != libc::RLIM64_INFINITY).then_some(found.rlim_cur)
    }

    /// Returns how many bytes of addresses and of data the process has.
    fn usage() -> Option<(u64, u64)> {
        // SAFETY: the call has no precondition.
        let page_size = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let mut buffer = [0; 128];
        let text = read_start("/proc/self/statm", &mut buffer)?;
        let mut pages = text.split_ascii_whitespace().map(str::parse::<u64>);
        let (all, data) = (pages.next()?.ok()?, pages.nth(4)?.ok()?);
        Some((all.saturating_mul(page_size), data.saturating_mul(page_size)))
    }

    fn read_number(path: &str) -> Option<u64> {
        read_start(path, &mut [0; 32])?.trim().parse().ok()
    }

    /// Reads the start of a short file into the caller's buffer, because the process may be out of
    /// memory.
    fn read_start<'b>(path: &str, buffer: &'b mut [u8]) -> Option<&'b str> {
        let len = File::open(path).ok()?.read(buffer).ok()?;
        str::from_utf8(buffer.get(..len)?).ok()
    }

    fn count_lines(path: &str) -> Option<u64> {
        let mut file = File::open(path).ok()?;
        let (mut lines, mut buffer) = (0, [0; 4096]);
        loop {
            match file.read(&mut buffer).ok()? {
                0 => return Some(lines),
                len => lines += buffer[..len].iter().filter(|&&byte| byte == b'\n').count() as u64,
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::io;

    use super::Limit;

    pub(super) fn met_by_mapping(_: &io::Error, _: usize, _: bool) -> Option<Limit> {
        None
    }

    #[cfg(target_has_atomic = "64")]
    pub(super) fn met_by_file(_: &io::Error) -> Option<Limit> {
        None
    }
}
