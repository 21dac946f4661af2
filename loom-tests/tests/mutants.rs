//! The models have teeth: each planted fault is caught by the model named beside it.
//!
//! One test, because a fault's panics would otherwise print between those of other tests.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use loom_tests::Model;
use loom_tests::fault::*;
use loom_tests::models::{claims, give_back, lives, tickets};

/// Each fault with the model that must catch it.
macro_rules! mutants {
    ($($fault:ident => $family:ident::$model:ident,)*) => {
        vec![$((stringify!($fault), $family::$model::<$fault>()),)*]
    };
}

// Not in the list: the orders on a ticket's half. Its exchange and loads do not need theirs: a draw that reads a half
// before its count happens before every later count, by the count's own order, so it cannot read what a later draw wrote.
fn mutants() -> Vec<(&'static str, Model)> {
    mutants! {
        RelaxedClaim => give_back::bytes_of_garbage_memory_given_back_are_zero_too,
        RelaxedClaim => give_back::dirty_bytes_given_back_are_zero_for_the_next_claim,
        RelaxedClaim => give_back::a_panicking_initialiser_gives_back_against_a_claim,
        RelaxedClaim => lives::a_claim_after_a_shared_reset_sees_the_previous_life_ended,
        ClaimByLoadAndStore => claims::two_threads_claim_disjoint_blocks,
        ClaimByLoadAndStore => claims::the_last_bytes_go_to_one_of_two,
        ClaimByLoadAndStore => claims::several_at_once_lie_side_by_side_against_a_claim,
        ClaimByLoadAndStore => claims::values_are_whole_against_values,
        ClaimBySwap => claims::two_threads_claim_disjoint_blocks,
        ClaimByAddition => claims::two_threads_claim_disjoint_blocks,
        ClaimByAddition => claims::the_last_bytes_go_to_one_of_two,
        ClaimByAdditionAndRollback => claims::two_threads_claim_disjoint_blocks,
        ClaimIgnoringFailure => claims::two_threads_claim_disjoint_blocks,
        ClaimIgnoringFailure => lives::claims_through_two_attached_arenas_are_disjoint,
        PeakNotRaised => give_back::dirty_bytes_given_back_are_zero_for_the_next_claim,
        PeakNotRaised => give_back::a_panicking_initialiser_gives_back_against_a_claim,
        PeakNotRaised => lives::a_shared_reset_after_a_join_starts_over,
        PeakRaisedByLoadAndStore => give_back::two_give_backs_take_only_their_own,
        PeakOverwritten => give_back::two_give_backs_take_only_their_own,
        RelaxedGiveBack => give_back::bytes_of_garbage_memory_given_back_are_zero_too,
        RelaxedGiveBack => give_back::dirty_bytes_given_back_are_zero_for_the_next_claim,
        RelaxedGiveBack => give_back::a_panicking_initialiser_gives_back_against_a_claim,
        RelaxedGiveBack => give_back::an_uninitialised_claim_owns_bytes_that_came_back,
        GiveBackByLoadAndStore => give_back::dirty_bytes_given_back_are_zero_for_the_next_claim,
        GiveBackByLoadAndStore => give_back::a_short_iterator_keeps_its_values_against_a_claim,
        GiveBackByStore => give_back::a_failing_initialiser_gives_back_against_a_claim,
        NoGiveBack => give_back::a_failing_initialiser_after_a_join_leaves_nothing,
        RelaxedReset => lives::a_claim_after_a_shared_reset_sees_the_previous_life_ended,
        RelaxedFormat => lives::an_attach_while_the_region_is_formatted_finds_all_or_nothing,
        RelaxedLoad => lives::an_attach_while_the_region_is_formatted_finds_all_or_nothing,
        TicketCountedByLoadAndStore => tickets::two_threads_draw_over_the_first_half_wrap,
        TicketCountedRelaxed => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketCountNotReleased => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketCountNotAcquired => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketHalfNotCounted => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketHalfByAddition => tickets::three_threads_draw_over_a_half_wrap,
    }
}

#[test]
fn every_planted_fault_is_caught_by_its_model() {
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    let survivors: Vec<_> = mutants()
        .into_iter()
        .filter(|(_, model)| catch_unwind(AssertUnwindSafe(|| model.explore())).is_ok())
        .map(|(fault, model)| format!("{fault} survived `{}`", model.name()))
        .collect();
    set_hook(hook);
    assert!(survivors.is_empty(), "{survivors:#?}");
}
