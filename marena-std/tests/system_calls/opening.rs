//! Opening and creating: which calls are made, and what other processes do between two of them.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use marena_std::{MapError, MappedArena, MappedBuilder};
use tempfile::TempDir;

use crate::calls::{Answer, Call, answering};

const CAPACITY: usize = 65_536;

/// The kinds of two file systems, as the system numbers them.
const EXT4: Answer = Answer::Value(0xEF53);
const OVERLAY: Answer = Answer::Value(0x794C_7630);

/// How often a name that keeps changing is looked up.
const ATTEMPTS: usize = 16;

const READ: i32 = libc::O_RDONLY;
const WRITE: i32 = libc::O_RDWR;

fn builder() -> MappedBuilder {
    MappedArena::builder().capacity(CAPACITY)
}

/// Creates an arena with `used` bytes used.
fn create(path: &Path, used: usize) {
    // SAFETY: tests have their files to themselves, here and below.
    unsafe { builder().create(path) }.unwrap().allocate_address(used).unwrap();
}

/// Returns a folder with an arena of 8 used bytes.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    create(&path, 8);
    (directory, path)
}

fn is_temporary(flags: i32) -> bool {
    flags & libc::O_TMPFILE == libc::O_TMPFILE
}

/// Opens an arena for reading on a file system of this kind, where opening it for writing has this
/// outcome. Returns the result, and for what the file was opened.
fn view_on(kind: Answer, writing: Answer) -> (Result<usize, MapError>, Vec<i32>) {
    let (_directory, path) = place();
    let opened = RefCell::new(Vec::new());
    let answer = |call: &Call<'_>| match *call {
        Call::FileSystem => kind,
        Call::Open { path: found, flags } if found == path => {
            opened.borrow_mut().push(flags & libc::O_ACCMODE);
            if flags & libc::O_ACCMODE == WRITE { writing } else { Answer::Real }
        }
        _ => Answer::Real,
    };
    // SAFETY: as in `create`.
    let result = answering(answer, || unsafe { MappedArena::open_read_only(&path) });
    (result.map(|view| view.used()), opened.take())
}

#[test]
fn a_view_opens_the_file_for_writing_only_where_that_makes_a_copy() {
    let (result, opened) = view_on(EXT4, Answer::Error(libc::EACCES));
    assert_eq!((result.unwrap(), opened), (8, vec![READ]));
    // What is written where the call fails does not count.
    let (result, opened) = view_on(Answer::ErrorWith(0x794C_7630), Answer::Error(libc::EACCES));
    assert_eq!((result.unwrap(), opened), (8, vec![READ]));
    let (result, opened) = view_on(OVERLAY, Answer::Real);
    assert_eq!((result.unwrap(), opened), (8, vec![READ, WRITE, READ]));
    // Nobody can write there.
    let (result, opened) = view_on(OVERLAY, Answer::Error(libc::EROFS));
    assert_eq!((result.unwrap(), opened), (8, vec![READ, WRITE]));
    // Only this user cannot.
    let (result, opened) = view_on(OVERLAY, Answer::Error(libc::EACCES));
    assert!(matches!(result, Err(MapError::Overlay { .. })), "{result:?}");
    assert_eq!(opened, [READ, WRITE]);
}

/// Replaces the arena at `path` by one of 8 bytes more, `times` times, right after it was opened.
/// Returns the result of `action`, and how often it opened the file.
fn replaced_while<T>(path: &Path, times: usize, action: impl FnOnce() -> T) -> (T, usize) {
    let opened = Cell::new(0);
    let answer = |call: &Call<'_>| match *call {
        Call::FileSystem => EXT4,
        Call::Opened { path: found } if found == path => {
            opened.set(opened.get() + 1);
            if opened.get() <= times {
                let other = path.with_extension("other");
                create(&other, 8 + 8 * opened.get());
                fs::rename(other, path).unwrap();
            }
            Answer::Real
        }
        _ => Answer::Real,
    };
    let outcome = answering(answer, action);
    (outcome, opened.get())
}

#[test]
fn a_file_that_was_replaced_while_it_was_opened_is_not_the_one_that_is_used() {
    for times in [0, 1, ATTEMPTS - 1] {
        let (_directory, path) = place();
        // SAFETY: as in `create`, here and below.
        let (view, opened) = replaced_while(&path, times, || unsafe { MappedArena::open_read_only(&path) });
        assert_eq!((view.unwrap().used(), opened), (8 + 8 * times, times + 1));
        let (_directory, path) = place();
        // SAFETY: as above.
        let (arena, opened) = replaced_while(&path, times, || unsafe { MappedArena::open(&path) });
        assert_eq!((arena.unwrap().used(), opened), (8 + 8 * times, times + 1));
    }
    let (_directory, path) = place();
    // SAFETY: as above.
    let (result, opened) = replaced_while(&path, usize::MAX, || unsafe { MappedArena::open(&path) });
    assert!(matches!(result, Err(MapError::InUse { .. })), "{result:?}");
    assert_eq!(opened, ATTEMPTS);
}

#[test]
fn a_file_that_another_process_replaces_meanwhile_is_not_replaced_again() {
    let (directory, path) = place();
    // SAFETY: as in `create`, here and below.
    let (result, opened) = replaced_while(&path, 1, || unsafe { builder().replace(&path) });
    assert!(matches!(result, Err(MapError::InUse { .. })), "{result:?}");
    assert_eq!(opened, 1);
    // SAFETY: as above.
    assert_eq!(unsafe { MappedArena::open(&path) }.unwrap().used(), 16);
    assert_eq!(directory.path().read_dir().unwrap().count(), 1);
}

#[test]
fn a_name_that_cannot_be_looked_up_any_more_is_an_error_that_says_so() {
    let (_directory, path) = place();
    let answer = |call: &Call<'_>| {
        if matches!(*call, Call::Opened { path: found } if found == path) {
            fs::remove_file(&path).unwrap();
            symlink(&path, &path).unwrap();
        }
        Answer::Real
    };
    // SAFETY: as in `create`.
    let result = answering(answer, || unsafe { builder().replace(&path) });
    let Err(MapError::Io { action: "open", source, .. }) = result else { panic!("{result:?}") };
    assert_eq!(source.raw_os_error(), Some(libc::ELOOP));
}

/// Another process removes the file before each lookup, and creates it before each creation, in
/// the first `rounds` of them. Returns the result, and how often the file was looked up.
fn created_and_removed<T>(rounds: usize, action: impl FnOnce(&Path) -> T) -> (T, usize) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let lookups = Cell::new(0);
    let answer = |call: &Call<'_>| {
        match *call {
            Call::Open { path: found, .. } if found == path => {
                lookups.set(lookups.get() + 1);
                if lookups.get() <= rounds {
                    let _ = fs::remove_file(&path);
                }
            }
            Call::Open { path: found, flags } if found == directory.path() && is_temporary(flags) => {
                create(&path, 8);
            }
            _ => {}
        }
        Answer::Real
    };
    (answering(answer, || action(&path)), lookups.get())
}

#[test]
fn a_name_that_others_keep_creating_and_removing_is_given_up_in_the_end() {
    // SAFETY: as in `create`, here and below.
    let open_or_create = |path: &Path| unsafe { builder().open_or_create(path) };
    // SAFETY: as above.
    let replace = |path: &Path| unsafe { builder().replace(path) };
    for rounds in [1, ATTEMPTS - 1] {
        let (arena, lookups) = created_and_removed(rounds, open_or_create);
        assert_eq!((arena.unwrap().used(), lookups), (8, rounds + 1));
        let (arena, lookups) = created_and_removed(rounds, replace);
        assert_eq!((arena.unwrap().used(), lookups), (0, rounds + 1));
    }
    let (result, lookups) = created_and_removed(usize::MAX, open_or_create);
    assert!(matches!(result, Err(MapError::Exists { .. })), "{result:?}");
    assert_eq!(lookups, ATTEMPTS);
    let (result, lookups) = created_and_removed(usize::MAX, replace);
    assert!(matches!(result, Err(MapError::InUse { .. })), "{result:?}");
    assert_eq!(lookups, ATTEMPTS);
}

/// Where the system has no files without names, or does not tell what an open file is called, a new
/// file has another name until it is complete.
#[test]
fn without_unnamed_files_a_new_one_has_the_mode_of_any_and_a_name_that_says_what_it_is() {
    #[derive(Clone, Copy, PartialEq)]
    enum Lacks {
        Files,
        Names(i32),
    }
    for lacks in [Lacks::Files, Lacks::Names(libc::ENOENT), Lacks::Names(libc::EACCES)] {
        let directory = tempfile::tempdir().unwrap();
        let (path, plain) = (directory.path().join("arena"), directory.path().join("plain"));
        let (links, names, asked) = (Cell::new(0), RefCell::new(Vec::new()), Cell::new(false));
        let answer = |call: &Call<'_>| match (lacks, call) {
            (Lacks::Files, Call::Open { flags, .. }) if is_temporary(*flags) => {
                asked.set(true);
                Answer::Error(libc::EOPNOTSUPP)
            }
            (Lacks::Names(error), Call::Status { path }) if path.starts_with("/proc/self/fd") => {
                asked.set(true);
                Answer::Error(error)
            }
            (_, Call::Link) => {
                links.set(links.get() + 1);
                Answer::Real
            }
            (_, Call::Sync) => {
                let files = directory.path().read_dir().unwrap();
                names.borrow_mut().extend(files.map(|file| file.unwrap().file_name().into_string().unwrap()));
                Answer::Real
            }
            _ => Answer::Real,
        };
        // SAFETY: as in `create`.
        answering(answer, || unsafe { builder().create(&path) }).unwrap();
        assert!(asked.get());
        assert_eq!(links.get(), 0);
        // Once before it has its name, and once afterwards.
        let names = names.take();
        assert!(names[0].starts_with(".marena-") && names[0].ends_with(".new"), "{names:?}");
        assert_eq!(names[1..], ["arena"]);
        fs::write(&plain, b"").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode(), fs::metadata(&plain).unwrap().mode());
    }
}

#[test]
fn a_name_that_the_system_refuses_is_an_error_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let linked = Cell::new(false);
    let answer = |call: &Call<'_>| match call {
        Call::Link => {
            linked.set(true);
            Answer::Error(libc::EPERM)
        }
        _ => Answer::Real,
    };
    // SAFETY: as in `create`.
    let result = answering(answer, || unsafe { builder().create(&path) });
    if linked.get() {
        let Err(MapError::Io { action: "link", source, .. }) = result else { panic!("{result:?}") };
        assert_eq!(source.kind(), ErrorKind::PermissionDenied);
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }
}

/// Some file systems cannot sync folders. Any other error is one.
#[test]
fn a_folder_that_cannot_be_synced_is_no_error_unless_the_disk_fails() {
    for (error, fails) in [(libc::EINVAL, false), (libc::ENOSYS, false), (libc::EIO, true), (libc::EACCES, true)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arena");
        let syncs = Cell::new(0);
        let answer = |call: &Call<'_>| match call {
            Call::Sync => {
                syncs.set(syncs.get() + 1);
                if syncs.get() == 2 { Answer::Error(error) } else { Answer::Real }
            }
            _ => Answer::Real,
        };
        // SAFETY: as in `create`.
        let result = answering(answer, || unsafe { builder().create(&path) });
        assert_eq!(matches!(result, Err(MapError::Io { action: "sync", .. })), fails, "{error}: {result:?}");
        assert_eq!((result.is_err(), syncs.get()), (fails, 2), "{error}");
        assert!(path.is_file());
    }
}

#[test]
fn as_many_links_as_the_system_follows_lead_to_the_file_that_is_replaced() {
    const LINKS: usize = 40;
    let (directory, path) = place();
    // The system counts the links of the whole path.
    let folder = directory.path().canonicalize().unwrap();
    let link = |number| folder.join(format!("link-{number}"));
    symlink("arena", link(1)).unwrap();
    for number in 2..=LINKS + 1 {
        symlink(format!("link-{}", number - 1), link(number)).unwrap();
    }
    // SAFETY: as in `create`, here and below.
    assert_eq!(unsafe { builder().replace(link(LINKS)) }.unwrap().used(), 0);
    assert!((1..=LINKS).all(|number| link(number).is_symlink()));
    assert!(path.is_file() && !path.is_symlink());
    // SAFETY: as above.
    let result = unsafe { builder().replace(link(LINKS + 1)) };
    let Err(MapError::Io { action: "open", source, .. }) = result else { panic!("{result:?}") };
    assert_eq!(source.raw_os_error(), Some(libc::ELOOP));
}
