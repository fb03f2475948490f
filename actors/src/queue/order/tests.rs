use super::*;

/// Submission `n` of a session of a campaign (0: a preview), asked for at `n`.
fn asked(n: u128, campaign: u128, session: u128, kind: RunKind) -> (SubmissionId, Asked) {
    let at = At(i64::try_from(n).unwrap());
    let campaign = (campaign > 0).then(|| CampaignId::from_u128(campaign));
    let session = SessionId::from_u128(session);
    (SubmissionId::from_u128(n), Asked { session, campaign, kind, at })
}

/// What waits: `(campaign, session, kind)`, numbered from 1 on in the order given.
fn order(waiting: &[(u128, u128, RunKind)]) -> Order {
    let mut order = Order::default();
    for (n, (campaign, session, kind)) in (1..).zip(waiting) {
        let (submission, asked) = asked(n, *campaign, *session, *kind);
        order.add(submission, asked);
    }
    order
}

fn places(order: &Order) -> Vec<u128> {
    order.places().map(|submission| submission.uuid().as_u128()).collect()
}

use RunKind::{All, Final};

#[test]
fn the_oldest_comes_first() {
    assert_eq!(places(&order(&[(1, 1, All), (1, 2, All), (1, 3, All)])), [1, 2, 3]);
}

#[test]
fn the_order_is_the_same_in_whatever_order_they_were_read() {
    let waiting = [asked(3, 1, 3, All), asked(1, 1, 1, All), asked(2, 1, 2, All)];
    let mut order = Order::default();
    for (submission, asked) in waiting {
        order.add(submission, asked);
    }
    assert_eq!(places(&order), [1, 2, 3]);
}

#[test]
fn a_preview_waits_for_everything_with_a_clock() {
    assert_eq!(places(&order(&[(0, 1, All), (1, 2, All), (2, 3, All)])), [2, 3, 1]);
}

#[test]
fn a_flood_of_one_campaign_delays_another_by_one_run() {
    let mut waiting = vec![(1, 1, All); 0];
    waiting.extend((0..50).map(|session| (1, 100 + session, All)));
    waiting.extend([(2, 1, All), (2, 2, All)]);
    assert_eq!(places(&order(&waiting))[..5], [1, 51, 2, 52, 3]);
}

#[test]
fn who_presses_run_fifty_times_delays_another_candidate_by_one_run() {
    let mut waiting = vec![(1, 1, All); 50];
    waiting.extend([(1, 2, All), (1, 3, All)]);
    assert_eq!(places(&order(&waiting))[..5], [1, 51, 52, 2, 3]);
}

#[test]
fn who_comes_again_at_once_is_not_served_twice_in_a_round() {
    let mut order = order(&[(1, 1, All), (1, 2, All), (1, 2, All), (1, 3, All)]);
    let mut served = vec![];
    for n in 100..106 {
        let next = order.next().unwrap();
        order.begin(next);
        served.push(next.uuid().as_u128());
        if order.end(next).unwrap().session == SessionId::from_u128(1) {
            let (again, asked) = asked(n, 1, 1, All);
            order.add(again, asked);
        }
    }
    assert_eq!(served, [1, 2, 4, 3, 100, 104]);
}

#[test]
fn long_runs_of_one_campaign_do_not_take_all_runners() {
    let mut order = order(&[(1, 1, All), (1, 2, All), (1, 3, All), (2, 4, All), (2, 5, All)]);
    let one = order.next().unwrap();
    order.begin(one);
    // Campaign 1 has one that runs on and on; the other runner is for campaign 2.
    for n in [4, 5] {
        let next = order.next().unwrap();
        assert_eq!(next, SubmissionId::from_u128(n));
        order.begin(next);
        order.end(next);
    }
    assert_eq!(order.next(), Some(SubmissionId::from_u128(2)));
}

#[test]
fn a_trial_run_comes_before_final_ones_and_those_have_every_fourth_turn() {
    let mut waiting: Vec<_> = (0..4).map(|session| (1, 10 + session, Final)).collect();
    waiting.extend((0..6).map(|session| (1, 20 + session, All)));
    assert_eq!(places(&order(&waiting)), [5, 6, 7, 1, 8, 9, 10, 2, 3, 4]);
}

#[test]
fn what_is_withdrawn_is_not_handed_out() {
    let mut order = order(&[(1, 1, All), (1, 1, All), (2, 2, All)]);
    assert!(order.withdraw(SubmissionId::from_u128(1)));
    assert!(!order.withdraw(SubmissionId::from_u128(1)));
    assert_eq!(places(&order), [2, 3]);
}

#[test]
fn ten_thousand_wait_and_each_round_serves_each_campaign_and_each_candidate_once() {
    let waiting: Vec<_> =
        (0..10_000).map(|n| (1 + n % 50, 1_000 * (1 + n % 50) + n / 50 % 100, All)).collect();
    let mut order = order(&waiting);
    let order_of: Vec<_> = places(&order).into_iter().map(|n| waiting[n as usize - 1]).collect();
    assert_eq!(order_of.len(), 10_000);
    for round in order_of.chunks(50) {
        assert_eq!(round.iter().map(|(campaign, ..)| campaign).collect::<BTreeSet<_>>().len(), 50);
    }
    for half in order_of.chunks(5_000) {
        assert_eq!(
            half.iter().map(|(_, session, _)| session).collect::<BTreeSet<_>>().len(),
            5_000
        );
    }
    while let Some(next) = order.next() {
        order.begin(next);
        order.end(next);
    }
    assert!(order.shares.is_empty() && order.running.is_empty());
    assert!(order.campaigns.remembered() <= 50);
}
