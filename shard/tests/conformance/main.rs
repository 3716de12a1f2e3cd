//! What every store promises, held against each of them: the contract is in `shard/src/store/contract.rs`.
//!
//! Another store needs a [`factory::Factory`] and a line in `stores!`, and nothing else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod appending;
mod batches;
mod cursors;
mod damage;
mod factory;
mod lifecycle;
mod memory;
mod model;
mod overlapping;
mod reading;
mod redis;
mod retention;
mod truncation;

/// One module of tests for each store.
macro_rules! stores {
    ($($store:ident: $factory:ty),* $(,)?) => {
        $(mod $store {
            use crate::factory::{Factory as _, on_executor};

            type Factory = $factory;

            tests! {
                appending: what_is_appended_is_read_back_byte_for_byte,
                appending: an_append_says_what_it_reached,
                appending: what_was_not_durable_is_there_until_the_process_ends,
                appending: a_failed_append_is_followed_by_none,
                reading: a_read_within_a_batch_gives_the_whole_batch,
                reading: a_read_is_bounded_by_bytes_but_gives_one_batch,
                reading: a_read_ends_with_its_range,
                reading: a_read_outside_of_the_log_says_where_the_log_is,
                reading: a_time_leads_to_the_first_batch_that_reaches_it,
                truncation: a_log_is_cut_at_a_batch_and_goes_on_from_there,
                truncation: a_batch_that_holds_the_offset_goes_as_a_whole,
                truncation: a_log_is_cut_to_nothing_and_no_further,
                truncation: a_cut_log_is_cut_after_a_restart_too,
                retention: nothing_goes_that_is_to_be_kept,
                retention: what_is_old_goes_and_never_comes_back,
                retention: what_is_too_much_goes_oldest_first,
                retention: an_emptied_log_goes_on_at_its_end,
                retention: a_message_that_is_delivered_late_is_kept_from_then_on,
                reading: what_is_scheduled_is_never_passed_over,
                reading: what_is_not_plain_is_never_passed_over,
                cursors: what_was_stored_of_cursors_is_found,
                cursors: a_snapshot_replaces_what_was_there,
                cursors: a_store_that_asks_for_snapshots_is_content_with_one,
                overlapping: operations_of_a_partition_overlap,
                overlapping: what_is_under_way_ends_without_effect_when_its_partition_is_deleted,
                overlapping: a_log_says_how_many_bytes_it_takes,
                lifecycle: a_new_partition_is_empty,
                lifecycle: a_partition_is_closed_and_opened,
                lifecycle: a_partition_outlives_a_process_that_was_killed,
                lifecycle: a_deleted_partition_leaves_nothing,
                lifecycle: a_partition_is_deleted_that_was_never_opened,
                lifecycle: partitions_are_apart,
                lifecycle: a_checkpoint_changes_nothing,
                damage: damage_is_told_with_its_offset_and_never_served,
            }

            #[test]
            fn it_does_what_a_plain_vector_does() {
                crate::model::run::<Factory>();
            }
        })*
    };
}

macro_rules! tests {
    ($($module:ident: $test:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            on_executor(Factory::new(), async |factory| crate::$module::$test(factory).await);
        })*
    };
}

stores! {
    log_store: crate::factory::LogFactory,
    memory_store: crate::factory::MemoryFactory,
    redis_store: crate::redis::RedisFactory,
}
