//! marena beside its peers.
//!
//! A [`Contender`](contender::Contender) is one allocator behind one small trait. A
//! [`Work`](work::Work) is one thing to measure, with an entry for every contender that can do it
//! and a reason for every one that cannot. The report ([`report`]) and the criterion benchmarks run
//! the same works.

pub mod contender;
pub mod contenders;
pub mod machine;
pub mod measure;
pub mod plot;
pub mod report;
pub mod target;
pub mod work;
pub mod works;
