//! Files without a name, which the system removes when their last descriptor closes, however the
//! process ended.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Creates a file that can be linked in this directory. Returns `None` if the file system has no
/// such files, or if the directory cannot be written.
pub(super) fn create(directory: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).custom_flags(libc::O_TMPFILE).open(directory).ok()?;
    fs::exists(descriptor(&file)).unwrap_or(false).then_some(file)
}

/// Gives the file a name, which must be free.
pub(super) fn link(file: &File, path: &Path) -> io::Result<()> {
    let from = CString::new(descriptor(file).as_os_str().as_bytes())?;
    let to = CString::new(path.as_os_str().as_bytes())?;
    let (here, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    // SAFETY: both names end with a zero, and stay valid until the call is done.
    match unsafe { libc::linkat(here, from.as_ptr(), here, to.as_ptr(), follow) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns the name by which the system knows the open file.
fn descriptor(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}
