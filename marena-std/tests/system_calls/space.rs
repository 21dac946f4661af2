//! Space on the disk: which bytes are reserved, and what is done where they cannot be.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use marena_std::{MapError, MappedArena};
use tempfile::TempDir;

use crate::calls::{Answer, Call, answering};

const CAPACITY: usize = 65_536;
const MIB: i64 = 1 << 20;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    (directory, path)
}

fn create(path: &Path, capacity: usize) -> Result<MappedArena, MapError> {
    // SAFETY: tests have their files to themselves, here and below.
    unsafe { MappedArena::create(path, capacity) }
}

fn open(path: &Path) -> Result<MappedArena, MapError> {
    // SAFETY: as in `create`.
    unsafe { MappedArena::open(path) }
}

/// Runs `action` while `answer` answers each reservation. Returns its result and the reservations:
/// the mode, the start and the length of each.
fn reserving<T>(answer: impl Fn(usize) -> Answer, action: impl FnOnce() -> T) -> (T, Vec<(i32, i64, i64)>) {
    let reserved = RefCell::new(Vec::new());
    let answer = |call: &Call<'_>| match *call {
        Call::Reserve { mode, start, len } => {
            reserved.borrow_mut().push((mode, start, len));
            answer(reserved.borrow().len())
        }
        _ => Answer::Real,
    };
    (answering(answer, action), reserved.take())
}

#[test]
fn large_files_are_reserved_in_parts_that_halve_with_each_signal() {
    let capacity = 256 * MIB + CAPACITY as i64;
    let (_directory, path) = place();
    let (arena, reserved) = reserving(|_| Answer::Value(0), || create(&path, capacity as usize));
    assert_eq!(arena.unwrap().capacity(), capacity as usize);
    assert_eq!(reserved, [(0, 0, 256 * MIB), (0, 256 * MIB, CAPACITY as i64)]);

    let (_directory, path) = place();
    let interrupted = |call| if [1, 2, 4].contains(&call) { Answer::Error(libc::EINTR) } else { Answer::Value(0) };
    let (arena, reserved) = reserving(interrupted, || create(&path, capacity as usize));
    arena.unwrap();
    let mut expected = vec![(0, 0, 256 * MIB), (0, 0, 128 * MIB), (0, 0, 64 * MIB), (0, 64 * MIB, 64 * MIB)];
    expected.extend((0..6).map(|part| (0, (64 + 32 * part) * MIB, 32 * MIB)));
    expected.push((0, 256 * MIB, CAPACITY as i64));
    assert_eq!(reserved, expected);

    // The smallest part is a page.
    let (_directory, path) = place();
    let interrupted = |call| if call <= 30 { Answer::Error(libc::EINTR) } else { Answer::Value(0) };
    let (arena, reserved) = reserving(interrupted, || create(&path, CAPACITY));
    arena.unwrap();
    let pages: Vec<_> = (0..16).map(|page| (0, page * 4096, 4096)).collect();
    assert_eq!(reserved[30..], pages);
    assert_eq!(reserved[29], (0, 0, 4096));
}

#[test]
fn without_reservations_a_new_file_is_filled_to_its_last_byte() {
    for error in [libc::EOPNOTSUPP, libc::ENOSYS, libc::EINVAL] {
        for capacity in [CAPACITY, MIB as usize + CAPACITY] {
            let (_directory, path) = place();
            let (arena, reserved) = reserving(|_| Answer::Error(error), || create(&path, capacity));
            assert_eq!((arena.unwrap().used(), reserved.len()), (0, 1));
            let bytes = fs::read(&path).unwrap();
            assert_eq!(bytes.len(), capacity);
            assert!(bytes[128..].iter().all(|&byte| byte == 0));
        }
    }
}

#[test]
fn a_disk_without_space_is_an_error_at_once() {
    let (directory, path) = place();
    for error in [libc::ENOSPC, libc::EIO, libc::EDQUOT] {
        let (result, reserved) = reserving(|_| Answer::Error(error), || create(&path, CAPACITY));
        let Err(MapError::Io { action: "reserve space for", source, .. }) = result else { panic!("{result:?}") };
        assert_eq!((source.raw_os_error(), reserved.len()), (Some(error), 1));
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
fn space_is_reserved_again_only_for_files_with_holes() {
    let (_directory, path) = place();
    drop(create(&path, CAPACITY).unwrap());
    let blocks = || fs::metadata(&path).unwrap().blocks() * 512;
    // Some file systems compress, or store elsewhere what was reserved.
    if blocks() >= CAPACITY as u64 {
        let (arena, reserved) = reserving(|_| Answer::Error(libc::ENOSPC), || open(&path));
        assert_eq!((arena.unwrap().used(), reserved), (0, vec![]));
    }
    // A copy with holes: the header's page alone.
    let header = fs::read(&path).unwrap()[..4096].to_vec();
    fs::write(&path, header).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(CAPACITY as u64).unwrap();
    if blocks() < CAPACITY as u64 {
        let whole = vec![(0, 0, CAPACITY as i64)];
        let (arena, reserved) = reserving(|_| Answer::Error(libc::EOPNOTSUPP), || open(&path));
        assert_eq!((arena.unwrap().used(), reserved), (0, whole.clone()));
        let (result, reserved) = reserving(|_| Answer::Error(libc::ENOSPC), || open(&path));
        assert!(matches!(result, Err(MapError::Io { action: "reserve space for", .. })), "{result:?}");
        assert_eq!(reserved, whole);
    }
}

/// Returns how many bytes of the mapping at `start` this process has, if the system tells.
fn resident(start: usize) -> Option<usize> {
    let smaps = fs::read_to_string("/proc/self/smaps").ok()?;
    let (_, mapping) = smaps.split_once(&format!("\n{start:x}-"))?;
    let (_, rest) = mapping.split_once("\nRss:")?;
    let kib: usize = rest.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Older systems have no call that sets up the pages.
#[test]
fn a_populated_file_has_all_its_pages_whatever_calls_the_system_has() {
    const LEN: usize = 4 << 20;
    let (_directory, path) = place();
    drop(create(&path, LEN).unwrap());
    for (answer, populated) in [(Answer::Error(libc::EINVAL), true), (Answer::Value(0), false)] {
        let calls = Cell::new(0);
        let answer = |call: &Call<'_>| match *call {
            Call::Advise(libc::MADV_POPULATE_READ) => {
                calls.set(calls.get() + 1);
                answer
            }
            _ => Answer::Real,
        };
        // SAFETY: as in `create`.
        let open = || unsafe { MappedArena::builder().populate(true).open_read_only(&path) };
        let view = answering(answer, open).unwrap();
        assert_eq!(calls.get(), 1);
        let start = view.region().addr().get();
        if let Some(resident) = resident(start) {
            assert_eq!(resident >= LEN, populated, "{resident}");
        }
    }
}
