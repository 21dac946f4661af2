//! Reserves space on the disk before a mapped page needs it.
//!
//! When a full disk has no space for a mapped page, writing the page ends the process (`SIGBUS`).

use std::fs::File;
use std::io::{self, ErrorKind, Read};

#[cfg(not(target_os = "linux"))]
use super::interrupted::repeat;

/// Reserves the space of a new file of `len` zeros, of which nothing was read or written yet.
pub(super) fn whole(file: &mut File, len: u64) -> io::Result<()> {
    match allocate(file, len) {
        Err(error) if is_unsupported(&error) => {
            // The file system has no reservations, so only bytes that were written have space.
            io::copy(&mut io::repeat(0).take(len), file).map(drop)
        }
        outcome => outcome,
    }
}

/// Reserves the space of the holes in a file of `len` bytes, if the file system can. Others may
/// write the file meanwhile.
///
/// Existing bytes do not change.
pub(super) fn holes(file: &File, len: u64) -> io::Result<()> {
    if !has_holes(file, len)? {
        return Ok(());
    }
    match allocate(file, len) {
        Err(error) if is_unsupported(&error) => Ok(()),
        outcome => outcome,
    }
}

/// Returns whether less than the whole file takes space on the disk.
fn has_holes(file: &File, len: u64) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        /// The unit of `blocks`, whatever blocks the file system has.
        const BLOCK: u64 = 512;
        Ok(file.metadata()?.blocks().saturating_mul(BLOCK) < len)
    }
    #[cfg(not(unix))]
    {
        Ok(fs4::FileExt::allocated_size(file)? < len)
    }
}

/// Returns whether the file system does not support the call.
fn is_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EOPNOTSUPP) {
        return true;
    }
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
}

/// Reserves space for the first `len` bytes of the file, and changes none.
#[cfg(target_os = "linux")]
fn allocate(file: &File, len: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    /// The largest number of bytes that one call reserves.
    const LARGEST: u64 = 256 << 20;
    const SMALLEST: u64 = 4096;

    // Some file systems drop what an interrupted call has reserved. A process with a frequent timer
    // would never finish a large file, so each interruption halves the size of the next call.
    let (mut start, mut step) = (0, LARGEST);
    while start < len {
        let part = step.min(len - start);
        // SAFETY: a call without pointers, on a descriptor that is open.
        match unsafe { libc::fallocate64(file.as_raw_fd(), 0, start as i64, part as i64) } {
            0 => start += part,
            _ => match io::Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => step = (step / 2).max(SMALLEST),
                error => return Err(error),
            },
        }
    }
    Ok(())
}

/// Reserves space for the first `len` bytes of the file, and changes none.
#[cfg(not(target_os = "linux"))]
fn allocate(file: &File, len: u64) -> io::Result<()> {
    repeat(|| fs4::FileExt::allocate(file, len))
}
