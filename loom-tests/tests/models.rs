//! Runs every model with a faithful word, and some with a word whose weak compare-and-swaps fail
//! spuriously.
//!
//! The floor of each test is below the number of interleavings when the test was written. Fewer
//! interleavings mean that the model has lost its race.

// Loom's coroutines are written in assembly, which Miri cannot run.
#![cfg(not(miri))]

use loom_tests::fault::{Faithful, Spurious};
use loom_tests::models::{claims, give_back, leases, pool, publish, regions, resets, tickets};

/// One test for each model, word and floor.
macro_rules! models {
    ($($family:ident::$model:ident::<$word:ident> >= $floor:literal as $name:ident;)*) => {
        $(
            #[test]
            fn $name() {
                $family::$model::<$word>().holds($floor);
            }
        )*
    };
}

models! {
    claims::two_threads_claim_disjoint_blocks::<Faithful> >= 3600 as two_threads_claim_disjoint_blocks;
    claims::three_threads_claim_disjoint_blocks::<Faithful> >= 6100 as three_threads_claim_disjoint_blocks;
    claims::four_threads_claim_disjoint_blocks::<Faithful> >= 5100 as four_threads_claim_disjoint_blocks;
    claims::an_aligned_claim_lands_aligned_against_a_claim::<Faithful> >= 110 as an_aligned_claim_lands_aligned_against_a_claim;
    claims::the_last_bytes_go_to_one_of_two::<Faithful> >= 110 as the_last_bytes_go_to_one_of_two;
    claims::a_claim_that_fails_changes_nothing_against_claims::<Faithful> >= 190 as a_claim_that_fails_changes_nothing_against_claims;
    claims::several_blocks_at_once_lie_side_by_side_against_a_claim::<Faithful> >= 110 as several_blocks_at_once_lie_side_by_side_against_a_claim;
    claims::several_blocks_at_once_are_all_or_nothing_against_each_other::<Faithful> >= 54 as several_blocks_at_once_are_all_or_nothing_against_each_other;
    claims::a_bounded_claim_ends_against_claims::<Faithful> >= 110 as a_bounded_claim_ends_against_claims;
    claims::a_bounded_claim_with_enough_retries_is_served::<Faithful> >= 110 as a_bounded_claim_with_enough_retries_is_served;
    claims::statistics_stay_in_range_against_claims::<Faithful> >= 410 as statistics_stay_in_range_against_claims;
    claims::values_are_whole_against_values::<Faithful> >= 110 as values_are_whole_against_values;

    give_back::a_panicking_initialiser_gives_back_against_a_claim::<Faithful> >= 470 as a_panicking_initialiser_gives_back_against_a_claim;
    give_back::a_failing_initialiser_gives_back_against_a_claim::<Faithful> >= 470 as a_failing_initialiser_gives_back_against_a_claim;
    give_back::a_failing_initialiser_after_a_join_leaves_nothing::<Faithful> >= 6 as a_failing_initialiser_after_a_join_leaves_nothing;
    give_back::a_reentrant_failing_initialiser_keeps_what_it_allocated::<Faithful> >= 72 as a_reentrant_failing_initialiser_keeps_what_it_allocated;
    give_back::dirty_bytes_given_back_are_zero_for_the_next_claim::<Faithful> >= 470 as dirty_bytes_given_back_are_zero_for_the_next_claim;
    give_back::bytes_of_garbage_memory_given_back_are_zero_too::<Faithful> >= 81 as bytes_of_garbage_memory_given_back_are_zero_too;
    give_back::two_give_backs_take_only_their_own::<Faithful> >= 420 as two_give_backs_take_only_their_own;
    give_back::a_cursor_that_comes_back_harms_no_claim::<Faithful> >= 1900 as a_cursor_that_comes_back_harms_no_claim;
    give_back::a_claim_sees_every_give_back_before_it::<Faithful> >= 3100 as a_claim_sees_every_give_back_before_it;
    give_back::a_bounded_claim_sees_every_give_back_before_it::<Faithful> >= 27 as a_bounded_claim_sees_every_give_back_before_it;
    give_back::a_short_iterator_keeps_its_values_against_a_claim::<Faithful> >= 110 as a_short_iterator_keeps_its_values_against_a_claim;
    give_back::an_uninitialised_claim_owns_bytes_that_came_back::<Faithful> >= 81 as an_uninitialised_claim_owns_bytes_that_came_back;

    publish::a_published_block_is_viewed_whole_while_claims_run::<Faithful> >= 63 as a_published_block_is_viewed_whole_while_claims_run;
    publish::an_inserted_value_is_read_whole_while_claims_run::<Faithful> >= 63 as an_inserted_value_is_read_whole_while_claims_run;
    publish::a_received_address_is_in_view_at_once::<Faithful> >= 35 as a_received_address_is_in_view_at_once;
    publish::an_address_that_a_view_loads_is_in_view_at_once::<Faithful> >= 6 as an_address_that_a_view_loads_is_in_view_at_once;
    publish::a_list_of_addresses_is_complete_from_any_head::<Faithful> >= 100 as a_list_of_addresses_is_complete_from_any_head;

    resets::a_reset_after_a_join_starts_over::<Faithful> >= 44 as a_reset_after_a_join_starts_over;
    resets::a_wipe_after_a_join_leaves_zeros::<Faithful> >= 44 as a_wipe_after_a_join_leaves_zeros;
    resets::a_shared_reset_after_a_join_starts_over::<Faithful> >= 44 as a_shared_reset_after_a_join_starts_over;
    resets::a_claim_after_a_shared_reset_sees_that_the_last_generation_ended::<Faithful> >= 9 as a_claim_after_a_shared_reset_sees_that_the_last_generation_ended;
    resets::claims_through_two_attached_arenas_are_disjoint::<Faithful> >= 110 as claims_through_two_attached_arenas_are_disjoint;
    resets::an_attach_while_the_region_is_formatted_finds_all_or_nothing::<Faithful> >= 17 as an_attach_while_the_region_is_formatted_finds_all_or_nothing;

    leases::a_lease_is_disjoint_from_claims::<Faithful> >= 320 as a_lease_is_disjoint_from_claims;
    leases::two_leases_are_disjoint::<Faithful> >= 66 as two_leases_are_disjoint;
    leases::three_leases_are_disjoint::<Faithful> >= 4000 as three_leases_are_disjoint;
    leases::a_lease_of_dirtied_bytes_hands_out_zeros::<Faithful> >= 850 as a_lease_of_dirtied_bytes_hands_out_zeros;
    leases::the_dirty_tail_of_a_lease_is_zero_for_the_next_claim::<Faithful> >= 470 as the_dirty_tail_of_a_lease_is_zero_for_the_next_claim;
    leases::stranded_bytes_of_two_leases_are_all_counted::<Faithful> >= 2600 as stranded_bytes_of_two_leases_are_all_counted;
    leases::growing_in_place_is_disjoint_from_a_claim::<Faithful> >= 54 as growing_in_place_is_disjoint_from_a_claim;
    leases::two_growing_blocks_stay_disjoint::<Faithful> >= 35 as two_growing_blocks_stay_disjoint;
    leases::growth_acquires_what_was_given_back_behind_it::<Faithful> >= 8 as growth_acquires_what_was_given_back_behind_it;
    leases::an_extended_lease_acquires_what_was_given_back_behind_it::<Faithful> >= 28 as an_extended_lease_acquires_what_was_given_back_behind_it;
    leases::a_leases_scope_is_disjoint_from_claims::<Faithful> >= 2200 as a_leases_scope_is_disjoint_from_claims;
    leases::scopes_of_a_lease_reuse_what_they_got_against_claims::<Faithful> >= 1500 as scopes_of_a_lease_reuse_what_they_got_against_claims;
    leases::scopes_of_two_leases_stay_bounded_and_disjoint::<Faithful> >= 30_000 as scopes_of_two_leases_stay_bounded_and_disjoint;
    leases::a_scope_over_the_rest_is_disjoint_from_another_arenas_claims::<Faithful> >= 49 as a_scope_over_the_rest_is_disjoint_from_another_arenas_claims;

    pool::two_threads_never_have_one_arena_at_once::<Faithful> >= 3300 as two_threads_never_have_one_arena_at_once;
    pool::one_of_two_guards_is_the_last::<Faithful> >= 41 as one_of_two_guards_is_the_last;
    pool::a_new_generation_begins_after_all_guards_of_the_old_one::<Faithful> >= 100 as a_new_generation_begins_after_all_guards_of_the_old_one;
    pool::a_clone_keeps_the_arena_against_a_drop::<Faithful> >= 23_300 as a_clone_keeps_the_arena_against_a_drop;

    regions::two_threads_claim_disjoint_blocks_of_two_regions::<Faithful> >= 73 as two_threads_claim_disjoint_blocks_of_two_regions;
    regions::bytes_go_back_to_their_own_region_against_a_claim::<Faithful> >= 206 as bytes_go_back_to_their_own_region_against_a_claim;

    tickets::two_threads_draw_over_the_first_half_wrap::<Faithful> >= 2700 as two_threads_draw_over_the_first_half_wrap;
    tickets::two_threads_draw_over_the_second_half_wrap::<Faithful> >= 2700 as two_threads_draw_over_the_second_half_wrap;
    tickets::a_draw_that_sleeps_over_two_half_wraps_is_not_misled::<Faithful> >= 1000 as a_draw_that_sleeps_over_two_half_wraps_is_not_misled;
    tickets::a_draw_that_sleeps_over_three_half_wraps_sets_no_half_back::<Faithful> >= 4400 as a_draw_that_sleeps_over_three_half_wraps_sets_no_half_back;
    tickets::three_threads_draw_over_a_half_wrap::<Faithful> >= 11_900 as three_threads_draw_over_a_half_wrap;

    claims::two_threads_claim_disjoint_blocks::<Spurious> >= 4400 as claims_that_fail_spuriously_are_disjoint;
    claims::the_last_bytes_go_to_one_of_two::<Spurious> >= 140 as the_last_bytes_go_to_one_of_two_that_fail_spuriously;
    claims::a_bounded_claim_ends_against_claims::<Spurious> >= 97 as a_bounded_claim_that_fails_spuriously_ends;
    claims::a_bounded_claim_with_enough_retries_is_served::<Spurious> >= 97 as a_bounded_claim_with_enough_retries_is_served_where_weak_ones_fail;
    give_back::dirty_bytes_given_back_are_zero_for_the_next_claim::<Spurious> >= 820 as dirty_bytes_are_zero_where_a_raise_fails_spuriously;
    give_back::two_give_backs_take_only_their_own::<Spurious> >= 1000 as two_give_backs_whose_raises_fail_spuriously_take_only_their_own;
    tickets::two_threads_draw_over_the_second_half_wrap::<Spurious> >= 3200 as tickets_whose_count_fails_spuriously_are_distinct;
    leases::a_lease_is_disjoint_from_claims::<Spurious> >= 830 as a_lease_whose_claims_fail_spuriously_is_disjoint;
    pool::one_of_two_guards_is_the_last::<Spurious> >= 66 as one_of_two_guards_that_fail_spuriously_is_the_last;
}
