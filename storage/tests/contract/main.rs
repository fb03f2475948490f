//! One suite for every store, and one for what nodes need of each other: each test runs against all
//! implementations.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail that way")]

mod batches;
mod blobs;
mod brokers;
mod buses;
mod caches;
mod ends;
mod events;
mod heads;
mod kit;
mod leases;
mod nodes;
mod people;
mod postgres;
mod races;
mod rows;
mod shards;
mod wires;

/// Makes a test of each function, once for each store; for PostgreSQL a case of one test, since all
/// share a server.
macro_rules! every_store {
    ($($area:ident: $($test:ident),+ $(,)?;)+) => {
        mod memory {
            $(mod $area {
                $(#[tokio::test]
                async fn $test() {
                    crate::$area::$test(std::sync::Arc::new(storage::memory::Memory::new())).await;
                })+
            })+
        }

        mod sqlite {
            $(mod $area {
                $(#[tokio::test]
                async fn $test() {
                    let dir = tempfile::tempdir().unwrap();
                    let store = crate::kit::sqlite(dir.path()).await;
                    crate::$area::$test(store.clone()).await;
                    store.close().await;
                })+
            })+
        }

        pub(crate) const POSTGRES: &[(&str, crate::postgres::Case)] = &[
            $($((
                concat!(stringify!($area), "_", stringify!($test)),
                |store| Box::pin(crate::$area::$test(store)),
            ),)+)+
        ];
    };
}

every_store! {
    events:
        what_is_appended_is_read,
        a_stream_nobody_wrote_to_is_empty,
        a_wrong_place_is_a_conflict,
        another_epoch_is_fenced,
        a_command_is_stored_once,
        another_event_of_the_same_command_is_no_duplicate,
        the_same_id_from_another_origin_is_no_duplicate,
        the_reasons_have_an_order,
        any_bytes_come_back_the_same,
        reading_goes_page_by_page,
        finding_a_command;
    heads:
        the_head_moves_with_each_append,
        only_rows_of_its_own_topic_move_rows_seq,
        telling_moves_the_mark_under_the_fence,
        what_is_untold_is_due_first_then_the_earliest,
        only_what_is_asked_for_is_due,
        a_snapshot_is_read_with_its_own_schema,
        a_snapshot_of_before_does_not_win,
        without_snapshots_nothing_changes,
        what_is_loaded_is_what_is_read;
    rows:
        rows_are_read_by_key,
        the_later_change_of_an_append_wins,
        a_removed_row_is_a_tombstone,
        changed_rows_include_tombstones,
        rows_go_page_by_page,
        topics_are_apart,
        a_refused_append_writes_no_row;
    shards:
        taking_a_shard_fences_its_owner_before,
        a_shard_is_taken_only_as_it_was_seen,
        of_two_who_saw_the_same_one_takes_it,
        every_shard_is_seen,
        an_outage_reaches_from_the_last_sign_of_life,
        a_sign_of_life_tells_what_is_lost,
        outages_are_read_from_a_moment_on;
    ends:
        a_compacted_stream_reads_the_same,
        a_compacted_stream_goes_on,
        a_long_stream_is_read_across_segments,
        compacting_needs_the_epoch,
        an_erased_stream_is_gone,
        a_submission_that_is_erased_waits_no_more,
        a_stream_is_erased_before_it_began;
    blobs:
        bytes_come_back_by_their_hash,
        the_same_bytes_are_kept_once;
    people:
        a_person_is_found_by_id_and_email,
        an_email_is_taken_whatever_its_case,
        administrators_are_counted,
        who_cannot_sign_in_is_no_administrator,
        all_accounts_come_by_name_with_their_links,
        a_contact_is_unique_in_its_campaign,
        contacts_come_by_name,
        contacts_are_read_by_session,
        links_come_oldest_first,
        a_browser_signs_in_and_out,
        erasing_a_contact_takes_its_links_and_sign_ins;
    batches:
        each_append_of_a_batch_is_answered_alone,
        two_streams_write_the_same_row,
        many_streams_at_once;
    races:
        one_append_wins_each_place,
        a_new_stream_has_one_first_event;
}

/// Makes a test of each function for two nodes of one process, and one for two nodes at a
/// server.
macro_rules! two_nodes {
    ($($area:ident: $($test:ident),+ $(,)?;)+) => {
        mod local {
            $(mod $area {
                $(#[tokio::test]
                async fn $test() {
                    crate::$area::$test(<crate::$area::Both as crate::nodes::Pair>::here()).await;
                })+
            })+
        }

        mod served {
            $(mod $area {
                $(#[tokio::test]
                async fn $test() {
                    let program = <crate::$area::Both as crate::nodes::Pair>::program();
                    let Some(server) = crate::nodes::server(program).await else { return };
                    crate::$area::$test(<crate::$area::Both as crate::nodes::Pair>::at(&server).await).await;
                })+
            })+
        }
    };
}

two_nodes! {
    wires:
        a_call_is_answered_by_who_serves,
        that_nobody_serves_is_known_at_once,
        a_call_that_was_taken_is_answered_by_who_serves_no_more,
        a_call_goes_on_when_its_caller_has_gone,
        calls_are_carried_out_side_by_side,
        too_much_at_once_is_known_at_once,
        who_serves_later_on_a_node_is_asked,
        a_call_is_carried_out_once_though_two_serve,
        large_bodies_go_both_ways,
        a_bug_in_one_call_is_told_and_harms_no_other,
        what_is_said_is_heard_by_all,
        to_hear_is_not_to_serve;
    leases:
        whoever_comes_first_has_it,
        a_renewal_moves_on,
        what_is_given_back_is_free,
        a_lease_that_nobody_renews_is_free,
        one_of_many_has_it,
        all_shards_are_held_at_once;
    buses:
        what_one_publishes_all_hear,
        frames_come_in_order_from_both,
        each_topic_is_heard_alone,
        who_lags_is_told_of_the_gap,
        a_board_is_of_its_node;
    caches:
        what_one_puts_all_get,
        a_value_is_kept_for_its_time,
        so_many_are_allowed_at_once,
        one_more_is_allowed_after_a_while,
        none_and_any_are_rates_too;
}
