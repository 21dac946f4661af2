//! Models of tickets: no number is drawn twice, also when a half of the count wraps.

use std::sync::Arc;

use crate::fault::Leaping;
use crate::tickets::Tickets;
use crate::{Fault, LoomWord, Model, spawn};

fn draws<F: Fault>(tickets: &Tickets<LoomWord<F>>, count: usize) -> Vec<u64> {
    let drawn: Vec<_> = (0..count).map(|_| tickets.draw()).collect();
    assert!(drawn.iter().all(|ticket| ticket % 2 == 0), "{drawn:?}");
    assert!(drawn.is_sorted_by(|one, next| one < next), "one thread's tickets rise: {drawn:?}");
    drawn
}

fn tickets<F: Fault>(low: u32, halves: u32) -> Arc<Tickets<LoomWord<F>>> {
    Arc::new(Tickets::from_words(LoomWord::new(low), LoomWord::new(halves)))
}

/// Checks that no number was drawn twice and that all are near `first`. A draw that starts over
/// skips its number, so there may be gaps.
fn assert_distinct_and_near(mut drawn: Vec<u64>, first: u64) {
    let count = drawn.len() as u64;
    drawn.sort_unstable();
    assert!(drawn.is_sorted_by(|one, next| one < next), "a number was drawn twice: {drawn:?}");
    assert!(
        drawn.iter().all(|ticket| (first..first + 2 * count).contains(&(ticket >> 1))),
        "far from {first}: {drawn:?}"
    );
}

/// The count passes 2^31: the first half ends.
pub fn two_threads_draw_over_the_first_half_wrap<F: Fault>() -> Model {
    Model::unbounded("tickets over the first half-wrap", || {
        let tickets = tickets::<F>((1 << 31) - 2, 0);
        let other = spawn(&tickets, |tickets| draws(tickets, 2));
        let mut all = draws(&tickets, 2);
        all.extend(other.join().unwrap());
        assert_distinct_and_near(all, (1 << 31) - 2);
    })
}

/// The count passes 2^32 and starts over at 0: the second half ends.
pub fn two_threads_draw_over_the_second_half_wrap<F: Fault>() -> Model {
    Model::unbounded("tickets over the second half-wrap", || {
        let tickets = tickets::<F>(u32::MAX - 1, 1);
        let other = spawn(&tickets, |tickets| draws(tickets, 2));
        let mut all = draws(&tickets, 2);
        all.extend(other.join().unwrap());
        assert_distinct_and_near(all, (1 << 32) - 2);
    })
}

/// A draw sleeps while another thread draws over two half-wraps, and finds the parity that it
/// started with. It must not be misled by that. The model is bounded, because ten draws have too
/// many interleavings. To sleep and to wake takes two preemptions.
pub fn a_draw_that_sleeps_over_two_half_wraps_is_not_misled<F: Fault>() -> Model {
    Model::bounded("ticket against two half-wraps", 3, || {
        let tickets = tickets::<Leaping<F>>(0, 0);
        let other = spawn(&tickets, |tickets| draws(tickets, 9));
        let mut all = draws(&tickets, 1);
        all.extend(other.join().unwrap());
        all.sort_unstable();
        assert!(all.is_sorted_by(|one, next| one < next), "a number was drawn twice: {all:?}");
    })
}

/// A draw finds a half due, and sleeps while others draw over the next three. It finds the parity
/// that it expects again, and must not set the half back.
pub fn a_draw_that_sleeps_over_three_half_wraps_sets_no_half_back<F: Fault>() -> Model {
    Model::bounded("ticket against three half-wraps", 2, || {
        let tickets = tickets::<Leaping<F>>(0, 0);
        let other = spawn(&tickets, |tickets| draws(tickets, 11));
        let mut all = draws(&tickets, 6);
        all.extend(other.join().unwrap());
        all.sort_unstable();
        assert!(all.is_sorted_by(|one, next| one < next), "a number was drawn twice: {all:?}");
    })
}

/// Three threads draw over a wrap.
pub fn three_threads_draw_over_a_half_wrap<F: Fault>() -> Model {
    Model::bounded("tickets over a half-wrap, 3 threads", 3, || {
        let tickets = tickets::<F>(u32::MAX, 1);
        let others = [(); 2].map(|()| spawn(&tickets, |tickets| draws(tickets, 1)));
        let mut all = draws(&tickets, 2);
        for other in others {
            all.extend(other.join().unwrap());
        }
        assert_distinct_and_near(all, (1 << 32) - 1);
    })
}
