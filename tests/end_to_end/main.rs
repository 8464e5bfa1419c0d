//! Scenarios against the real stack on this machine: the same binaries and template as on AWS, IAM enforced, a real
//! OCR engine. One world for all of them, on free ports; each scenario has an employee of its own.

mod access;
mod approvals;
mod approvers;
mod browser;
mod cli;
mod contract;
mod expenses;
mod exports;
mod gateway;
mod harness;
mod mails;
mod matrix;
mod ops;
mod people;
mod policy;
mod races;
mod reading;
mod receipts;
mod replays;
mod reports;
mod resilience;
mod whole;

use std::process::ExitCode;

use harness::Harness;
use libtest_mimic::{Arguments, Trial};

macro_rules! scenarios {
    ($harness:ident: $($module:ident::$name:ident),* $(,)?) => {
        vec![$({
            let harness = $harness.clone();
            Trial::test(concat!(stringify!($module), "::", stringify!($name)), move || {
                harness.run(async |world| $module::$name(world).await)
            })
        }),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Some scenarios change what all share: the policy, a rule of the bus, a queue.
    arguments.test_threads = Some(1);
    let harness = Harness::new();
    let mut trials = scenarios![harness:
        replays::all_of_it_again_changes_nothing,
        receipts::photo_becomes_an_approved_expense,
        receipts::the_same_upload_twice_is_one_receipt_and_one_expense,
        receipts::an_unreadable_photo_fails_by_name_and_can_be_entered_by_hand,
        receipts::bad_files_fail_by_name,
        receipts::a_ticket_takes_the_announced_bytes_once_and_in_time,
        receipts::an_object_nobody_announced_is_set_aside,
        reading::a_reading_says_how_sure_it_is_and_where_it_looked,
        reading::several_receipts_in_one_file_are_all_there_to_choose_from,
        reading::the_same_bytes_are_paid_for_once,
        reading::a_reading_that_may_be_paid_for_twice_is_counted,
        reading::a_correction_is_learned_from,
        approvals::rejected_with_a_reason,
        approvals::a_link_is_shown_as_often_as_one_likes_and_used_once,
        approvals::a_forged_link_is_nobodys,
        approvals::an_expired_link_decides_nothing,
        approvals::a_withdrawal_ends_the_approval,
        approvals::two_decisions_at_once_are_one,
        races::whatever_meets_ends_once,
        approvers::two_levels_decide_one_after_the_other,
        approvers::little_is_approved_by_the_policy,
        approvers::a_delegate_stands_in_for_what_is_pending,
        approvers::a_step_follows_who_is_responsible,
        approvers::reminded_then_escalated_then_back,
        approvers::changes_are_requested_made_and_approved,
        mails::what_arrives_together_comes_as_one_mail,
        mails::a_disowned_decision_is_told_and_asked_for_anew,
        mails::an_approver_is_reminded_once_a_day_of_all_that_waits,
        mails::a_dead_mailbox_holds_nothing_up,
        cli::a_receipt_goes_its_way_from_the_command_line,
        cli::an_account_is_made_and_found_again_from_the_command_line,
        cli::an_approver_decides_from_the_command_line,
        cli::finance_and_administrators_work_from_the_command_line,
        expenses::a_request_is_carried_out_once,
        expenses::a_change_goes_by_the_version_it_knows,
        expenses::a_receipt_goes_where_its_owner_puts_it,
        expenses::the_parts_of_a_split_add_up,
        expenses::lists_are_keyed_and_sifted,
        expenses::one_dinner_claimed_twice_is_seen,
        expenses::what_the_company_paid_is_not_owed,
        reports::one_mail_asks_for_a_report_and_all_of_it_is_approved,
        reports::one_of_a_report_is_rejected_by_itself,
        reports::a_report_is_decided_while_its_owner_withdraws,
        reports::drafts_that_come_and_go_while_a_report_is_submitted,
        reports::a_report_is_submitted_whole_or_not_at_all,
        reports::a_report_holds_forty_expenses_however_many_join_at_once,
        reports::an_execution_that_lags_does_not_hold_the_mail_up,
        reports::an_approver_decides_over_the_api,
        access::strangers_see_nothing,
        access::a_receipt_is_seen_by_whoever_sees_its_expense,
        access::only_id_tokens_of_active_people_count,
        access::only_allowed_mail_domains_sign_up,
        access::bad_input_names_the_field,
        policy::a_policy_has_versions_that_stay,
        policy::a_submission_is_held_to_the_policy_of_its_moment,
        policy::rates_loaded_twice_change_nothing,
        policy::a_budget_tells_of_each_threshold_once,
        policy::spend_is_shown_to_whom_it_concerns,
        exports::ones_own_expenses_become_a_csv,
        exports::finance_exports_the_company,
        exports::an_export_ends_with_the_role_it_needs,
        exports::receipts_come_in_zip_files,
        exports::personal_data_are_complete_and_ones_own,
        exports::erasure_leaves_what_the_law_wants,
        exports::who_was_to_decide_may_be_erased,
        exports::what_has_outlived_the_legal_term_goes,
        gateway::its_own_errors_are_problem_documents,
        gateway::who_asks_too_often_is_told_to_wait,
        gateway::only_the_web_client_may_read_across_origins,
        people::a_profile_is_ones_own_to_set,
        people::roles_hold_at_once_and_end_at_once,
        people::who_leaves_is_out_at_once_and_may_return,
        people::two_administrators_who_remove_each_other_leave_one,
        people::an_account_that_did_not_follow_does_so_later,
        people::the_directory_is_taken_over_at_the_first_sign_in,
        people::a_changed_address_is_followed_within_the_domains,
        people::everyone_is_listed_once_page_by_page,
        resilience::an_execution_stopped_in_the_middle_is_restarted,
        resilience::an_event_lost_on_the_way_is_published_again,
        resilience::a_receipt_that_nobody_noticed_is_read,
        resilience::a_malformed_record_is_set_aside_and_its_neighbours_go_on,
        resilience::a_replay_changes_nothing,
        ops::what_is_missing_is_named,
        ops::an_operator_writes_no_table_and_reads_no_receipt,
        ops::a_trace_tells_the_way_from_photo_to_approval,
        ops::a_replay_is_counted_started_and_listed,
        ops::mails_are_sent_again_when_an_operator_says_so,
        ops::what_was_not_delivered_is_degraded_and_published_again,
        ops::dead_letters_are_seen_redriven_and_discarded,
        ops::what_was_set_aside_is_published,
        matrix::nobody_learns_or_changes_what_is_not_theirs,
        matrix::an_idempotency_key_is_its_owners,
        whole::the_contract_says_what_a_client_must_know,
        contract::holds_for_all_but_finance,
        contract::holds_for_finance,
    ];
    let in_a_browser = scenarios![harness:
        browser::a_hundred_looks_change_nothing_and_one_press_decides,
        browser::decisions_need_no_javascript,
        browser::pages_and_mails_are_for_everyone,
    ];
    let without = browser::chromium().is_none();
    if without {
        eprintln!("There is no Chromium: what needs a browser is ignored (Debian: apt install chromium).");
    }
    trials.extend(in_a_browser.into_iter().map(|trial| trial.with_ignored_flag(without)));
    // Last: it looks at what all others have logged.
    trials.extend(scenarios![harness: resilience::no_secret_and_no_address_is_in_logs_or_events]);
    let conclusion = libtest_mimic::run(&arguments, trials);
    harness.stop();
    conclusion.exit_code()
}
