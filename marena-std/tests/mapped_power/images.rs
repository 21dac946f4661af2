//! The images of a file that a power failure may leave on the disk.
//!
//! A flush writes whole pages. The system may also write any other page at any time. So each page
//! of an image has the content of its last flush, or any later one.
//!
//! The function below replaces the C library's in the whole program, because a program's own
//! symbols come first. So the arena has no code for these tests.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use libc::{c_int, c_void, size_t};

pub(crate) const PAGE: usize = 4096;

/// The most mappings of one file.
const MAPPINGS: usize = 2;

/// The bytes that one call wrote to the disk.
struct Flush {
    /// The offset in the file.
    offset: usize,
    bytes: Vec<u8>,
    /// The whole file in memory at the time of the call.
    state: Vec<u8>,
}

/// What is done during a flush. It returns whether it is to be done again.
type Meanwhile = Box<dyn FnMut() -> bool>;

thread_local! {
    /// The addresses of the recorded file's mappings, and its length. The values have no
    /// destructors, because the runtime still makes calls at the thread's end.
    static BASES: Cell<[usize; MAPPINGS]> = const { Cell::new([0; MAPPINGS]) };
    static LEN: Cell<usize> = const { Cell::new(0) };
    static LOG: RefCell<Vec<Flush>> = const { RefCell::new(Vec::new()) };
    static MEANWHILE: Cell<Option<Meanwhile>> = const { Cell::new(None) };
}

// SAFETY: replaces the C library's function of this name, and does the same.
#[unsafe(no_mangle)]
unsafe extern "C" fn msync(start: *mut c_void, len: size_t, flags: c_int) -> c_int {
    let is_in = |&base: &usize| base != 0 && (base..base + LEN.get()).contains(&start.addr());
    if let Some(base) = BASES.get().into_iter().find(is_in) {
        // Taken out, so that the flushes of the work itself are not interrupted.
        if let Some(mut work) = MEANWHILE.take()
            && work()
        {
            MEANWHILE.set(Some(work));
        }
        let offset = start.addr() - base;
        // SAFETY: the arena is mapped, since the caller flushes it, and no other thread writes it.
        let state = unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(base), LEN.get()) }.to_vec();
        // Whole pages reach the disk.
        let bytes = state[offset..offset + len.next_multiple_of(PAGE)].to_vec();
        LOG.with_borrow_mut(|log| log.push(Flush { offset, bytes, state }));
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_msync, start, len, flags) as c_int }
}

/// The content of a file's pages at every step, and the flushes to the disk.
pub(crate) struct History {
    path: PathBuf,
    /// The file's bytes after each step of the program.
    states: Vec<Vec<u8>>,
    /// The flushes, each with the number of the state in which it ended.
    flushes: Vec<(usize, Flush)>,
}

impl History {
    /// Begins to record an arena's file, which this thread maps.
    pub(crate) fn new(path: &Path, region: NonNull<[u8]>) -> Self {
        BASES.set([0; MAPPINGS]);
        LEN.set(region.len().next_multiple_of(PAGE));
        LOG.take();
        let recorded = Self { path: path.to_path_buf(), states: vec![fs::read(path).unwrap()], flushes: Vec::new() };
        recorded.also(region);
        recorded
    }

    /// Records another mapping of the same file, too.
    pub(crate) fn also(&self, region: NonNull<[u8]>) {
        let mut bases = BASES.get();
        *bases.iter_mut().find(|base| **base == 0).unwrap() = region.cast::<u8>().as_ptr().expose_provenance();
        BASES.set(bases);
    }

    /// Records the content of the pages. Reading the file gives the mapped pages.
    pub(crate) fn look(&mut self) {
        for flush in LOG.take() {
            self.states.push(flush.state.clone());
            self.flushes.push((self.states.len() - 1, flush));
        }
        self.states.push(fs::read(&self.path).unwrap());
    }

    /// Returns how many steps were recorded.
    pub(crate) fn states(&self) -> usize {
        self.states.len()
    }

    /// Returns how many flushes have ended.
    pub(crate) fn flushed(&self) -> usize {
        self.flushes.len() + LOG.with_borrow(Vec::len)
    }

    /// Returns the offset and the bytes of each flush from one on.
    pub(crate) fn flushes(&self, from: usize) -> Vec<(usize, &[u8])> {
        self.flushes[from..].iter().map(|(_, flush)| (flush.offset, &*flush.bytes)).collect()
    }

    /// Ends recording. The arena can be dropped.
    pub(crate) fn end(&self) {
        BASES.set([0; MAPPINGS]);
        MEANWHILE.take();
    }

    /// Returns the versions of each page that the disk may hold if the power fails in state `now`
    /// after `flushed` flushes: the last flushed version, or any later one.
    fn versions(&self, flushed: usize, now: usize) -> Vec<Vec<&[u8]>> {
        let of_page = |page: usize| {
            let range = page..page + PAGE;
            let last = self.flushes[..flushed]
                .iter()
                .rev()
                .find(|(_, flush)| flush.offset <= range.start && range.end <= flush.offset + flush.bytes.len());
            let (since, durable) = match last {
                Some((state, flush)) => (*state, &flush.bytes[page - flush.offset..][..PAGE]),
                None => (0, &self.states[0][range.clone()]),
            };
            let mut versions = vec![durable];
            versions.extend(self.states[since..=now].iter().map(|state| &state[range.clone()]));
            versions.dedup();
            versions
        };
        (0..self.states[0].len()).step_by(PAGE).map(of_page).collect()
    }

    /// Calls `check` with each state, the number of ended flushes, and each image that the disk may
    /// have then.
    pub(crate) fn for_each_image(&self, mut check: impl FnMut(usize, usize, &[u8])) {
        let mut random = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = |count: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize % count
        };
        for now in 0..self.states.len() {
            let ended = self.flushes.iter().filter(|(state, _)| *state < now).count();
            // A flush that ends in this state may have ended or not.
            let ending = self.flushes.iter().filter(|(state, _)| *state == now).count();
            for flushed in ended..=ended + ending {
                let pages = self.versions(flushed, now);
                // The variants: only flushed pages; all written pages; one page lost; one page
                // written; random mixtures.
                for variant in 0..2 + 2 * pages.len() + 10 {
                    let choose = |(page, versions): (usize, &Vec<&[u8]>)| {
                        let newest = versions.len() - 1;
                        let chosen = match variant.checked_sub(2) {
                            None => newest * variant,
                            Some(lost) if lost < pages.len() => newest * usize::from(page != lost),
                            Some(rest) if rest < 2 * pages.len() => newest * usize::from(page == rest - pages.len()),
                            Some(_) => next(versions.len()),
                        };
                        versions[chosen].to_vec()
                    };
                    let image: Vec<u8> = pages.iter().enumerate().flat_map(choose).collect();
                    check(now, flushed, &image);
                }
            }
        }
    }
}

/// Does some work at the beginning of each flush of this thread, until it returns `false`: what
/// another process may do at that moment.
pub(crate) fn during_flushes(work: impl FnMut() -> bool + 'static) {
    MEANWHILE.set(Some(Box::new(work)));
}

/// Returns a folder in memory where possible, because the tests check the order of calls and not a
/// disk.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
