//! Error messages name their numbers and say what to do.

use std::error::Error;

use marena_core::{AllocError, AttachError, MemoryError, TryAllocError};

/// Checks that the message contains every number and is a sentence, not a variant's name.
fn check(error: &dyn Error, numbers: &[&str]) {
    let message = error.to_string();
    for number in numbers {
        assert!(message.contains(number), "`{message}` without {number}");
    }
    assert!(message.len() > 20 && message.contains(' ') && message.starts_with(char::is_alphanumeric), "`{message}`");
}

#[test]
fn messages_name_their_numbers() {
    check(&AllocError::TooLarge { requested: 3_000_000_000 }, &["3000000000", "2147483647"]);
    check(&AllocError::Full { requested: 4097, remaining: 1234 }, &["4097", "1234"]);
    check(&AllocError::Alignment { requested: 8192, supported: 4096 }, &["8192", "4096"]);
    check(&AllocError::Contended { retries: 17 }, &["17"]);
    check(&MemoryError::Misaligned { required: 128, address: 0x1234 }, &["128", "0x1234"]);
    check(&MemoryError::TooSmall { required: 136, len: 99 }, &["136", "99"]);
    let len = usize::MAX;
    check(&MemoryError::TooLarge { limit: 2_147_483_648, len }, &["2147483648", &len.to_string()]);
    check(&AttachError::NotAnArena, &[]);
    check(&AttachError::Version { found: 7 }, &["7"]);
    check(&AttachError::Endianness, &[]);
    check(&AttachError::Capacity { header: 65_536, region: 4096 }, &["65536", "4096"]);
    check(&AttachError::Cursor { found: 4_294_967_295 }, &["4294967295"]);
    check(&AttachError::Root { slot: 3, found: 0xABCD }, &["3", "0xabcd"]);
    check(&AttachError::Memory(MemoryError::TooSmall { required: 136, len: 99 }), &["136", "99"]);
    check(
        &TryAllocError::<AttachError>::Alloc(AllocError::Full { requested: 4097, remaining: 1234 }),
        &["4097", "1234"],
    );
    check(&TryAllocError::Init(AttachError::Version { found: 7 }), &["7", "initialiser"]);
}

#[test]
fn a_request_that_is_no_more_than_what_is_left_failed_for_its_alignment() {
    for (requested, remaining, aligned) in [(7, 8, true), (8, 8, true), (9, 8, false)] {
        let message = AllocError::Full { requested, remaining }.to_string();
        assert_eq!(message.contains("once they are aligned"), aligned, "{message}");
    }
}

#[test]
fn an_initialisers_error_is_the_source_of_the_error_that_carries_it() {
    let error = TryAllocError::Init(AttachError::Endianness);
    assert_eq!(error.source().unwrap().to_string(), AttachError::Endianness.to_string());
    assert!(TryAllocError::<AttachError>::Alloc(AllocError::Contended { retries: 0 }).source().is_none());
}

#[test]
fn errors_convert_for_the_question_mark() {
    let attach = AttachError::from(MemoryError::TooSmall { required: 136, len: 0 });
    assert_eq!(attach, AttachError::Memory(MemoryError::TooSmall { required: 136, len: 0 }));
    let init = TryAllocError::<()>::from(AllocError::Contended { retries: 1 });
    assert_eq!(init, TryAllocError::Alloc(AllocError::Contended { retries: 1 }));
}
