//! Disks without room, and file systems that show files of other ones. The tests have a program of
//! their own, because the processes that they start briefly hold the locks of other tests' files.
#![cfg(all(target_os = "linux", target_has_atomic = "64", not(miri)))]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use marena_std::{Limit, MapError, MappedArena};
use tempfile::TempDir;

mod another_user;
mod child;

const PAGE: usize = 4096;
const CAPACITY: usize = 16 * PAGE;

/// The variable with the path of the file, for the process that runs into its limit.
const LIMITED: &str = "MARENA_TEST_LIMITED";

fn create(path: &Path) -> Result<MappedArena, MapError> {
    // SAFETY: tests have their files to themselves.
    unsafe { MappedArena::create(path, CAPACITY) }
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_limit_on_file_sizes_is_an_error_at_creation_and_no_signal_later() {
    if let Some(path) = std::env::var_os(LIMITED) {
        let result = create(Path::new(&path));
        let limit = Some(Limit::FileSize(CAPACITY as u64 - 1));
        let Err(MapError::Io { action: "size", limit: found, .. }) = result else { panic!("{result:?}") };
        assert_eq!(found, limit);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let name = "a_limit_on_file_sizes_is_an_error_at_creation_and_no_signal_later";
    // Without, it is covered where a file system can be mounted.
    if !child::starts_itself() {
        return;
    }
    let mut limited = child::command(std::env::current_exe().unwrap(), name);
    limited.env(LIMITED, directory.path().join("arena"));
    let limit = libc::rlimit { rlim_cur: CAPACITY as libc::rlim_t - 1, rlim_max: CAPACITY as libc::rlim_t - 1 };
    let set_limit = move || {
        // SAFETY: ignoring a signal has no precondition.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        // SAFETY: the limit is a valid place.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
        Ok(())
    };
    // SAFETY: two system calls, which any child may make.
    unsafe { limited.pre_exec(set_limit) };
    let output = limited.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert_eq!(entries(directory.path()), 0);
}

/// A file system that is mounted for a test and unmounted afterwards.
struct Mounted(TempDir);

impl Mounted {
    /// Mounts a file system. Returns `None` if this user may not mount.
    fn new(kind: &str, options: impl FnOnce(&Path) -> String) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path());
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", &options, kind]).arg(directory.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(directory));
        }
        eprintln!("not tested: not allowed to mount {kind}");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.unwrap().success() || thread::panicking());
    }
}

/// Returns a disk with room for one arena but not for two.
fn small_disk() -> Option<Mounted> {
    Mounted::new("tmpfs", |_| format!("size={}", CAPACITY + 4 * PAGE))
}

/// Writes all bytes that the arena has left, and flushes them to the disk.
fn fill(arena: &MappedArena) {
    let rest = arena.allocate_address(arena.remaining()).unwrap();
    arena.write_from(rest, &vec![7; rest.size() as usize]).unwrap();
    arena.publish_root(0, rest).unwrap();
    arena.flush().unwrap();
}

#[test]
fn creating_on_a_full_file_system_is_an_error_and_keeps_the_arenas_there() {
    let Some(disk) = small_disk() else { return };
    let kept = create(&disk.path().join("kept")).unwrap();
    let result = create(&disk.path().join("second"));
    assert!(matches!(result, Err(MapError::Io { action: "reserve space for", .. })), "{result:?}");
    // Every page of the first file has its space.
    fill(&kept);
    assert_eq!(entries(disk.path()), 1);
}

#[test]
fn holes_of_a_copy_are_filled_when_it_is_opened_or_opening_fails() {
    let Some(disk) = small_disk() else { return };
    // The file looks like a copy with holes: it has the header's page and nothing behind.
    let elsewhere = tempfile::tempdir().unwrap();
    let original = elsewhere.path().join("original");
    drop(create(&original).unwrap());
    let header = fs::read(&original).unwrap()[..PAGE].to_vec();
    let copy = disk.path().join("copy");
    fs::write(&copy, &header).unwrap();
    File::options().write(true).open(&copy).unwrap().set_len(CAPACITY as u64).unwrap();
    let blocks = || fs::metadata(&copy).unwrap().blocks() as usize * 512;
    assert!(blocks() < CAPACITY, "{}", blocks());

    // The disk has room for half of it.
    let other = disk.path().join("other");
    fs::write(&other, vec![1; CAPACITY / 2]).unwrap();
    for populate in [false, true] {
        // SAFETY: as in `create`, here and below.
        let result = unsafe { MappedArena::builder().populate(populate).open(&copy) };
        assert!(matches!(result, Err(MapError::Io { action: "reserve space for", .. })), "{result:?}");
    }
    // SAFETY: as above. Only the first page is used.
    let sparse = unsafe { MappedArena::builder().reserve(false).open(&copy) }.unwrap();
    sparse.allocate_copy(b"kept").unwrap();
    drop(sparse);

    fs::remove_file(&other).unwrap();
    // SAFETY: as above.
    let whole = unsafe { MappedArena::open(&copy) }.unwrap();
    assert!(blocks() >= CAPACITY, "{}", blocks());
    assert_eq!(whole.used(), 8, "what is there stays");
    let _ = fs::write(&other, vec![1; CAPACITY]);
    fill(&whole);
}

#[test]
fn a_view_on_an_overlay_sees_later_writes_or_is_an_error() {
    const VIEWED: &str = "MARENA_TEST_VIEWED";
    const PLAIN: &str = "MARENA_TEST_VIEWED_ELSEWHERE";
    if let Some(path) = std::env::var_os(VIEWED) {
        // SAFETY: as in `create`.
        let result = unsafe { MappedArena::open_read_only(path) };
        assert!(matches!(result, Err(MapError::Overlay { .. })), "{result:?}");
        // On other file systems, reading needs no permission to write.
        // SAFETY: as above.
        let view = unsafe { MappedArena::open_read_only(std::env::var_os(PLAIN).unwrap()) };
        assert_eq!(view.unwrap().capacity(), CAPACITY);
        return;
    }
    let Some(disk) = Mounted::new("tmpfs", |_| "size=16m".into()) else { return };
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| disk.path().join(name));
    [&lower, &upper, &work].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
    drop(create(&lower.join("arena")).unwrap());
    drop(create(&lower.join("another")).unwrap());
    let layers =
        |_: &Path| format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let Some(overlay) = Mounted::new("overlay", layers) else { return };

    let path = overlay.path().join("arena");
    // SAFETY: as in `create`, here and below.
    let view = unsafe { MappedArena::open_read_only(&path) }.unwrap();
    // SAFETY: as above.
    let writer = unsafe { MappedArena::open(&path) }.unwrap();
    writer.publish_root(0, writer.allocate_copy(b"seen").unwrap()).unwrap();
    assert_eq!(view.read_value::<[u8; 4]>(view.root(0).unwrap()), Ok(*b"seen"));
    drop((view, writer));

    // A user who may not write could see the lower file for ever.
    for folder in [disk.path(), overlay.path()] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    let (another, plain) = (overlay.path().join("another"), lower.join("another"));
    let variables = [(VIEWED, another.as_os_str()), (PLAIN, plain.as_os_str())];
    let test = "a_view_on_an_overlay_sees_later_writes_or_is_an_error";
    let Some(output) = another_user::run(disk.path(), test, &variables, || Ok(())) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    drop(overlay);

    // If nobody can write to the overlay, nobody writes later.
    let layers = |_: &Path| format!("lowerdir={}:{}", lower.display(), upper.display());
    let Some(overlay) = Mounted::new("overlay", layers) else { return };
    // SAFETY: as above.
    assert!(unsafe { MappedArena::open_read_only(overlay.path().join("another")) }.is_ok());
}
