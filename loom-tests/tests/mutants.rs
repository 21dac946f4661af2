//! The models have teeth: each planted fault is caught by the model named beside it.
//!
//! Each fault runs in a process of its own, which ends at the first panic: unwinding would drop leases and guards in threads that loom
//! has suspended, and they do atomic steps when they are dropped. So this is a program without the test harness, which
//! starts itself once for each fault.

use std::env;
use std::panic::set_hook;
use std::process::{Command, ExitCode, exit};

use loom_tests::Model;
use loom_tests::fault::*;
use loom_tests::models::{claims, give_back, leases, lives, pool, regions, tickets};

/// What a process that found its fault ends with; any other code is no answer.
const CAUGHT: i32 = 42;
const SURVIVED: i32 = 43;

/// Before the number of a fault to run.
const RUN: &str = "--planted-fault";

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
        RelaxedClaim => give_back::a_bounded_claim_sees_every_give_back_before_it,
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
        PeakRaisedLate => give_back::dirty_bytes_given_back_are_zero_for_the_next_claim,
        PeakRaisedLate => leases::a_leases_soiled_tail_is_zero_for_the_next_claim,
        ResetForgetsPeak => lives::a_shared_reset_after_a_join_starts_over,
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
        PeakNotRaised => leases::a_leases_soiled_tail_is_zero_for_the_next_claim,
        PeakNotRaised => leases::a_lease_of_dirtied_bytes_hands_out_zeros,
        PeakNotRaised => leases::an_extended_lease_acquires_what_was_given_back_behind_it,
        PeakNotRaised => leases::a_scope_over_the_rest_is_disjoint_from_another_arenas_claims,
        PeakRaisedByLoadAndStore => leases::stranded_bytes_of_two_leases_are_all_counted,
        ClaimByLoadAndStore => leases::two_leases_are_disjoint,
        RelaxedClaim => leases::a_lease_of_dirtied_bytes_hands_out_zeros,
        RelaxedGiveBack => leases::a_leases_soiled_tail_is_zero_for_the_next_claim,
        RelaxedGiveBack => leases::a_scope_over_the_rest_is_disjoint_from_another_arenas_claims,
        GiveBackByLoadAndStore => leases::a_lease_is_disjoint_from_claims,
        GiveBackByStore => leases::a_lease_is_disjoint_from_claims,
        RelaxedExtend => leases::growth_acquires_what_was_given_back_behind_it,
        RelaxedExtend => leases::an_extended_lease_acquires_what_was_given_back_behind_it,
        ExtendByLoadAndStore => leases::growing_in_place_is_disjoint_from_a_claim,
        ExtendByStore => leases::growing_in_place_is_disjoint_from_a_claim,
        ExtendByStore => leases::two_growing_blocks_stay_disjoint,
        ExtendByLoadAndStore => leases::a_lease_is_disjoint_from_claims,
        ExtendByLoadAndStore => leases::a_leases_scope_is_disjoint_from_claims,
        RelaxedExtend => pool::two_threads_never_have_one_arena_at_once,
        ExtendByLoadAndStore => pool::two_threads_never_have_one_arena_at_once,
        RelaxedRelease => pool::one_of_two_guards_is_the_last,
        RelaxedRelease => pool::a_new_life_begins_after_all_guards_of_the_old_one,
        ReleaseByLoadAndStore => pool::one_of_two_guards_is_the_last,
        RelaxedClaim => pool::one_of_two_guards_is_the_last,
        ClaimByLoadAndStore => pool::a_clone_keeps_the_arena_against_a_drop,
        PeakRaisedByLoadAndStore => pool::a_clone_keeps_the_arena_against_a_drop,
        RelaxedReset => pool::two_threads_never_have_one_arena_at_once,
        ClaimByLoadAndStore => regions::two_threads_claim_disjoint_blocks_of_two_regions,
        RelaxedGiveBack => regions::bytes_go_back_to_their_own_region_against_a_claim,
        PeakNotRaised => regions::bytes_go_back_to_their_own_region_against_a_claim,
        TicketCountedByLoadAndStore => tickets::two_threads_draw_over_the_first_half_wrap,
        TicketCountedRelaxed => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketCountNotReleased => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketCountNotAcquired => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketHalfNotCounted => tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled,
        TicketHalfByStore => tickets::a_draw_that_sleeps_over_three_half_wraps_sets_no_half_back,
        TicketHalfByAddition => tickets::three_threads_draw_over_a_half_wrap,
    }
}

/// Explores one model, and ends the process.
fn run(model: &Model) -> ! {
    set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref().copied());
        println!("{}", text.and_then(|text| text.lines().next()).unwrap_or("a panic without a message"));
        exit(CAUGHT);
    }));
    let interleavings = model.explore();
    println!("survived {interleavings} interleavings");
    exit(SURVIVED);
}

fn main() -> ExitCode {
    // Miri starts no processes, and does not run loom's coroutines.
    if cfg!(miri) {
        return ExitCode::SUCCESS;
    }
    let mutants = mutants();
    let arguments: Vec<_> = env::args().collect();
    if let Some(position) = arguments.iter().position(|argument| argument == RUN) {
        let number: usize = arguments[position + 1].parse().unwrap();
        run(&mutants[number].1);
    }
    let mut wrong = 0;
    for (number, (fault, model)) in mutants.iter().enumerate() {
        let program = env::current_exe().unwrap();
        let output = Command::new(program).args([RUN, &number.to_string()]).output().unwrap();
        let verdict = match output.status.code() {
            Some(CAUGHT) => "caught",
            Some(SURVIVED) => "SURVIVED",
            _ => "NO ANSWER",
        };
        wrong += usize::from(verdict != "caught");
        let message = String::from_utf8_lossy(&output.stdout);
        println!("{verdict}: {fault:<28} by `{}`: {}", model.name(), message.trim());
    }
    println!("{} planted faults, {wrong} not caught", mutants.len());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
