//! The limit that an error names, to the byte: what the system says of limits and of usage is
//! answered here.

use std::path::Path;

use marena_std::{Arena, Error, Limit, MapError, MappedArena};

use crate::calls::{Answer, Call, answering};

const ARENA: u64 = 65_536;

/// What the system says. Numbers of pages and of mappings are those of the process.
#[derive(Clone, Copy)]
struct System {
    /// The error of each mapping.
    error: i32,
    addresses: Answer,
    data: Answer,
    locked: Answer,
    /// The file with the number of pages, and the most mappings.
    usage: Answer,
    most: &'static str,
    mappings: Answer,
}

const NO_LIMIT: Answer = Answer::Value(libc::RLIM64_INFINITY);

/// 30 pages of addresses, 20 of them data.
const USAGE: &str = "30 3 2 1 0 20 0\n";

const SYSTEM: System = System {
    error: libc::ENOMEM,
    addresses: NO_LIMIT,
    data: NO_LIMIT,
    locked: NO_LIMIT,
    usage: Answer::Content(USAGE),
    most: "1000000000\n",
    mappings: Answer::Content("one\ntwo\n"),
};

impl System {
    fn answer(self, call: &Call<'_>) -> Answer {
        match *call {
            Call::Map { .. } => Answer::Error(self.error),
            Call::Limit(kind) if kind == libc::RLIMIT_AS as i32 => self.addresses,
            Call::Limit(kind) if kind == libc::RLIMIT_DATA as i32 => self.data,
            Call::Limit(kind) if kind == libc::RLIMIT_MEMLOCK as i32 => self.locked,
            Call::Open { path, .. } if path == Path::new("/proc/self/statm") => self.usage,
            Call::Open { path, .. } if path == Path::new("/proc/self/maps") => self.mappings,
            Call::Open { path, .. } if path == Path::new("/proc/sys/vm/max_map_count") => Answer::Content(self.most),
            _ => Answer::Real,
        }
    }

    /// Returns the limit that the error of an arena names.
    fn private(self) -> Option<Limit> {
        let result = answering(|call| self.answer(call), || Arena::with_capacity(1));
        let Err(Error::OutOfAddressSpace { limit, .. }) = result else { panic!("{result:?}") };
        limit
    }

    /// Returns the limit that the error of a mapped arena names.
    fn shared(self) -> Option<Limit> {
        let directory = tempfile::tempdir().unwrap();
        let builder = MappedArena::builder().capacity(1).reserve(false);
        // SAFETY: the file is this test's.
        let create = || unsafe { builder.create(directory.path().join("arena")) };
        let result = answering(|call| self.answer(call), create);
        let Err(MapError::Io { action: "map", limit, .. }) = result else { panic!("{result:?}") };
        limit
    }
}

/// Returns the size of so many pages and of an arena.
fn with_pages(pages: u64) -> u64 {
    // SAFETY: asking for a number has no precondition.
    pages * u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap() + ARENA
}

#[test]
fn addresses_and_data_are_counted_to_the_byte() {
    assert_eq!((SYSTEM.private(), SYSTEM.shared()), (None, None));
    let (all, data) = (with_pages(30), with_pages(20));
    let exact = System { addresses: Answer::Value(all), data: Answer::Value(data), ..SYSTEM };
    assert_eq!((exact.private(), exact.shared()), (None, None));
    let less = System { addresses: Answer::Value(all - 1), data: Answer::Value(data - 1), ..SYSTEM };
    let addresses = Some(Limit::AddressSpace(all - 1));
    assert_eq!((less.private(), less.shared()), (addresses, addresses));
    // A shared mapping is no data.
    let less = System { addresses: NO_LIMIT, ..less };
    assert_eq!((less.private(), less.shared()), (Some(Limit::Data(data - 1)), None));
}

#[test]
fn without_its_usage_a_process_is_taken_for_an_empty_one() {
    for usage in
        [Answer::Error(libc::ENOENT), Answer::Content(""), Answer::Content("30 3 2 1 0\n"), Answer::Content("x")]
    {
        let exact = System { usage, addresses: Answer::Value(ARENA), data: Answer::Value(ARENA), ..SYSTEM };
        assert_eq!(exact.private(), None);
        let less = System { addresses: Answer::Value(ARENA - 1), ..exact };
        assert_eq!(less.private(), Some(Limit::AddressSpace(ARENA - 1)));
    }
}

#[test]
fn a_limit_that_the_system_does_not_tell_is_none() {
    let unknown = Answer::Error(libc::EPERM);
    let system = System { addresses: unknown, data: unknown, ..SYSTEM };
    assert_eq!((system.private(), system.shared()), (None, None));
}

#[test]
fn a_few_mappings_less_than_the_most_are_the_most() {
    // More lines than one read returns.
    let all: &'static str = "00-01 rw\n".repeat(2000).leak();
    for (lines, named) in [(1991, false), (1992, true), (1999, true), (2000, true)] {
        let mappings = Answer::Content(&all[..9 * lines]);
        let system = System { most: "2000\n", mappings, ..SYSTEM };
        let expected = named.then_some(Limit::Mappings(2000));
        assert_eq!((system.private(), system.shared()), (expected, expected), "{lines}");
    }
    for system in
        [System { most: "many\n", ..SYSTEM }, System { most: "2\n", mappings: Answer::Error(libc::EACCES), ..SYSTEM }]
    {
        assert_eq!((system.private(), system.shared()), (None, None));
    }
}

#[test]
fn locked_memory_is_named_where_the_system_says_so() {
    let system = System { error: libc::EAGAIN, ..SYSTEM };
    assert_eq!(system.private(), None);
    assert_eq!(System { locked: Answer::Error(libc::EPERM), ..system }.private(), None);
    let limited = System { locked: Answer::Value(4096), ..system };
    assert_eq!((limited.private(), limited.shared()), (Some(Limit::Locked(4096)), Some(Limit::Locked(4096))));
    // Other errors are about no limit.
    assert_eq!(System { error: libc::EINVAL, addresses: Answer::Value(0), ..limited }.private(), None);
}
