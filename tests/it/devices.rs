//! A session that goes on elsewhere.

use anyhow::ensure;
use domain::ids::SeatId;
use loadtests::candidate::Candidate;
use serde_json::{Value, json};

use crate::setting::{Done, Setting};

#[tokio::test]
async fn us_084_a_test_goes_on_where_it_was() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    let ends_at = candidate.view.row("session")["ends_at"].clone();
    for _ in 0..20 {
        let change = candidate.text.typed(&mut candidate.random);
        ensure!(candidate.edit(change).await?.is_ok());
    }
    let go = json!({ "type": "go_to", "seat": candidate.seat, "question": 1 });
    ensure!(candidate.ask(go).await?.is_ok());
    let (text, browser) = (candidate.text.clone(), candidate.browser.clone());
    let session = candidate.session;
    drop(candidate);
    let mut again = Candidate::signed_in(browser, session);
    again.connect().await?;
    again.until("the session", |view| view.row("session")["current"] == 1).await?;
    again.load(1).await?;
    ensure!(again.text == text, "{:?} is not {text:?}", again.text);
    ensure!(again.view.row("session")["ends_at"] == ends_at, "the end moved");
    Setting::all_well(&again)
}

#[tokio::test]
async fn another_device_goes_on_and_the_old_ones_edit_is_kept() -> Done {
    let setting = Setting::new(1).await?;
    let mut old = setting.first().await?;
    old.start(1).await?;
    let change = old.text.appended("# from the old device\n");
    ensure!(old.edit(change).await?.is_ok());
    let mut new = setting.first().await?;
    new.take_seat(1).await?;
    ensure!(new.text == old.text, "{:?} is not {:?}", new.text, old.text);
    let ends_at = |of: &Candidate| of.view.row("session")["ends_at"].clone();
    ensure!(ends_at(&new) == ends_at(&old), "{} is not {}", ends_at(&new), ends_at(&old));
    let change = new.text.appended("# from the new device\n");
    ensure!(new.edit(change).await?.is_ok());
    // The old device brings what was typed on it before it heard of the new one.
    let change = old.text.appended("# typed in between\n");
    let answer = old.ask(edit(&old, &change.json)).await?;
    let base = u64::from(old.text.rev);
    ensure!(answer.as_ref().is_ok_and(|it| it["rev"] == base + 2), "{answer:?}");
    let text = old.stored_text().await?.text();
    for part in ["from the old", "from the new", "typed in between"] {
        ensure!(text.contains(part), "{part} is not in {text}");
    }
    reads_only(&mut old, &new).await?;
    Setting::all_well(&new)
}

/// The device that lost its seat is told so, and may do nothing else.
async fn reads_only(old: &mut Candidate, new: &Candidate) -> Done {
    let seat = json!(new.seat);
    old.until("the other device", |view| view.row("session")["seat"] == seat).await?;
    for command in [
        json!({ "type": "run", "seat": old.seat, "question": 1, "kind": "all" }),
        json!({ "type": "answer", "seat": old.seat, "question": 0, "choices": [0] }),
        json!({ "type": "hand_in", "seat": old.seat }),
    ] {
        let answer = old.ask(command.clone()).await?;
        ensure!(answer.as_ref().is_err_and(|why| why.code == "seat_taken"), "{command} {answer:?}");
    }
    let mut stranger = edit(old, &json!([]));
    stranger["seat"] = json!(SeatId::random());
    let answer = old.ask(stranger).await?;
    ensure!(answer.as_ref().is_err_and(|why| why.code == "seat_taken"), "{answer:?}");
    Ok(())
}

fn edit(by: &Candidate, changes: &Value) -> Value {
    json!({
        "type": "edit", "seat": by.seat, "file": by.file, "base_rev": by.text.rev,
        "changes": changes, "caret": 0,
    })
}
