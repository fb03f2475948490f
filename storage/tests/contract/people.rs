//! People: accounts, contacts, links, and who is signed in.

use std::sync::Arc;

use domain::{
    at::At,
    ids::{CampaignId, PersonId, SessionId},
    people::{Contact, HttpSession, Link, Opens, Person, Role, Welcome, Who},
    ports::PeopleError,
};

use crate::kit::Store;

const CAMPAIGN: CampaignId = CampaignId::from_u128(1);

pub(crate) async fn a_person_is_found_by_id_and_email(store: Arc<impl Store>) {
    let ada = person(1, "Ada@Example.org", Role::Creator);
    store.add_person(ada.clone()).await.unwrap();
    assert_eq!(store.person(ada.id).await.unwrap(), Some(ada.clone()));
    assert_eq!(store.person_by_email("aDA@example.ORG").await.unwrap(), Some(ada.clone()));
    assert_eq!(store.person_by_email("bob@example.org").await.unwrap(), None);
    let renamed = Person { name: "Ada L.".into(), role: Role::Administrator, ..ada.clone() };
    store.save_person(renamed.clone()).await.unwrap();
    assert_eq!(store.person(ada.id).await.unwrap(), Some(renamed));
    store.save_person(person(2, "nobody@example.org", Role::Creator)).await.unwrap();
    assert_eq!(store.person(PersonId::from_u128(2)).await.unwrap(), None);
}

pub(crate) async fn an_email_is_taken_whatever_its_case(store: Arc<impl Store>) {
    store.add_person(person(1, "jürgen@example.org", Role::Creator)).await.unwrap();
    let same = person(2, "JÜRGEN@example.org", Role::Creator);
    assert!(is_taken(store.add_person(same.clone()).await));
    store.add_person(person(2, "eva@example.org", Role::Creator)).await.unwrap();
    assert!(is_taken(store.save_person(same).await));
    let mine = person(1, "JÜRGEN@example.org", Role::Creator);
    store.save_person(mine.clone()).await.unwrap();
    assert_eq!(store.person(mine.id).await.unwrap(), Some(mine));
}

pub(crate) async fn administrators_are_counted(store: Arc<impl Store>) {
    assert_eq!(store.administrators().await.unwrap(), 0);
    for (n, role) in [(1, Role::Administrator), (2, Role::Creator), (3, Role::Administrator)] {
        store.add_person(person(n, &format!("{n}@example.org"), role)).await.unwrap();
    }
    assert_eq!(store.administrators().await.unwrap(), 2);
}

pub(crate) async fn who_cannot_sign_in_is_no_administrator(store: Arc<impl Store>) {
    let one = person(1, "1@example.org", Role::Administrator);
    store.add_person(Person { disabled_at: Some(At(5)), ..one.clone() }).await.unwrap();
    let two = person(2, "2@example.org", Role::Administrator);
    store.add_person(Person { password_hash: String::new(), ..two }).await.unwrap();
    assert_eq!(store.administrators().await.unwrap(), 0);
    store.save_person(one).await.unwrap();
    assert_eq!(store.administrators().await.unwrap(), 1);
}

pub(crate) async fn all_accounts_come_by_name_with_their_links(store: Arc<impl Store>) {
    let welcome = Some(Welcome { token_sha256: "aa".into(), until: At(9) });
    let cleo = Person { name: "Cleo".into(), welcome, ..person(1, "1@example.org", Role::Creator) };
    let disabled_at = Some(At(7));
    let bob = Person { name: "Bob".into(), disabled_at, ..person(2, "2@x.org", Role::Creator) };
    for person in [&cleo, &bob] {
        store.add_person(person.clone()).await.unwrap();
    }
    assert_eq!(store.persons().await.unwrap(), [bob, cleo.clone()]);
    let opened = Person { welcome: None, ..cleo };
    store.save_person(opened.clone()).await.unwrap();
    assert_eq!(store.person(opened.id).await.unwrap(), Some(opened));
}

pub(crate) async fn a_contact_is_unique_in_its_campaign(store: Arc<impl Store>) {
    let ada = contact(1, "ada@example.org", "Ada");
    store.save_contact(ada.clone()).await.unwrap();
    assert!(is_taken(store.save_contact(contact(2, "ADA@example.org", "Other")).await));
    let elsewhere =
        Contact { campaign: CampaignId::from_u128(2), ..contact(2, "ada@example.org", "Ada") };
    store.save_contact(elsewhere.clone()).await.unwrap();
    let renamed = Contact { name: "Ada L.".into(), ..ada.clone() };
    store.save_contact(renamed.clone()).await.unwrap();
    assert_eq!(store.contact(ada.session).await.unwrap(), Some(renamed));
    assert_eq!(store.contact(elsewhere.session).await.unwrap(), Some(elsewhere));
    assert_eq!(store.contact(SessionId::from_u128(9)).await.unwrap(), None);
}

pub(crate) async fn contacts_come_by_name(store: Arc<impl Store>) {
    for (n, name) in [(1, "Cleo"), (2, "Ada"), (3, "Bob")] {
        store.save_contact(contact(n, &format!("{n}@example.org"), name)).await.unwrap();
    }
    let names = store.contacts(CAMPAIGN).await.unwrap();
    assert_eq!(names.into_iter().map(|c| c.name).collect::<Vec<_>>(), ["Ada", "Bob", "Cleo"]);
    assert_eq!(store.contacts(CampaignId::from_u128(2)).await.unwrap(), []);
}

pub(crate) async fn contacts_are_read_by_session(store: Arc<impl Store>) {
    for n in 1..=3 {
        store.save_contact(contact(n, &format!("{n}@example.org"), "Ada")).await.unwrap();
    }
    store.erase_contact(SessionId::from_u128(2)).await.unwrap();
    let asked = [3, 2, 1, 9].map(SessionId::from_u128);
    let mut found: Vec<_> =
        store.contacts_of(&asked).await.unwrap().into_iter().map(|one| one.session).collect();
    found.sort();
    assert_eq!(found, [1, 3].map(SessionId::from_u128));
    assert_eq!(store.contacts_of(&[]).await.unwrap(), []);
}

pub(crate) async fn links_come_oldest_first(store: Arc<impl Store>) {
    let old = link("z", 5, Opens::Session(SessionId::from_u128(1)));
    let new = Link { expires_at: Some(At(90)), ..link("a", 9, Opens::Wall) };
    store.save_link(new.clone()).await.unwrap();
    store.save_link(old.clone()).await.unwrap();
    assert_eq!(store.links(CAMPAIGN).await.unwrap(), [old.clone(), new]);
    let revoked = Link { revoked_at: Some(At(50)), ..old };
    store.save_link(revoked.clone()).await.unwrap();
    assert_eq!(store.link("z").await.unwrap(), Some(revoked));
    assert_eq!(store.link("y").await.unwrap(), None);
    assert_eq!(store.links(CampaignId::from_u128(2)).await.unwrap(), []);
}

pub(crate) async fn a_browser_signs_in_and_out(store: Arc<impl Store>) {
    let everybody = [
        Who::Person(PersonId::from_u128(1), Role::Administrator),
        Who::Person(PersonId::from_u128(2), Role::Creator),
        Who::Candidate(SessionId::from_u128(3)),
        Who::Viewer(CAMPAIGN),
    ];
    for who in everybody {
        let session = http_session("hash", who);
        store.save_http_session(session.clone()).await.unwrap();
        assert_eq!(store.http_session("hash").await.unwrap(), Some(session));
    }
    store.end_http_session("hash").await.unwrap();
    assert_eq!(store.http_session("hash").await.unwrap(), None);
    store.end_http_session("hash").await.unwrap();

    let here = http_session("here", everybody[2]);
    for session in [here, http_session("there", everybody[2]), http_session("other", everybody[3])]
    {
        store.save_http_session(session).await.unwrap();
    }
    store.sign_out_everywhere(everybody[2]).await.unwrap();
    assert_eq!(store.http_session("here").await.unwrap(), None);
    assert_eq!(store.http_session("there").await.unwrap(), None);
    assert!(store.http_session("other").await.unwrap().is_some());
}

pub(crate) async fn erasing_a_contact_takes_its_links_and_sign_ins(store: Arc<impl Store>) {
    let gone = SessionId::from_u128(1);
    let stays = SessionId::from_u128(2);
    for (n, session) in [(1, gone), (2, stays)] {
        store.save_contact(contact(n, &format!("{n}@example.org"), "Ada")).await.unwrap();
        store.save_link(link(&n.to_string(), 1, Opens::Session(session))).await.unwrap();
        let signed_in = http_session(&n.to_string(), Who::Candidate(session));
        store.save_http_session(signed_in).await.unwrap();
    }
    store.erase_contact(gone).await.unwrap();
    assert_eq!(store.contact(gone).await.unwrap(), None);
    assert_eq!(store.link("1").await.unwrap(), None);
    assert_eq!(store.http_session("1").await.unwrap(), None);
    assert!(store.contact(stays).await.unwrap().is_some());
    assert!(store.link("2").await.unwrap().is_some());
    assert!(store.http_session("2").await.unwrap().is_some());
}

fn is_taken(answer: Result<(), PeopleError>) -> bool {
    answer.is_err_and(|why| matches!(why, PeopleError::EmailTaken))
}

fn person(n: u128, email: &str, role: Role) -> Person {
    let id = PersonId::from_u128(n);
    Person {
        id,
        email: email.into(),
        name: "Ada".into(),
        role,
        password_hash: "$x".into(),
        welcome: None,
        disabled_at: None,
    }
}

fn contact(n: u128, email: &str, name: &str) -> Contact {
    Contact {
        session: SessionId::from_u128(n),
        campaign: CAMPAIGN,
        email: email.into(),
        name: name.into(),
        alias: "Blue Heron".into(),
    }
}

fn link(code: &str, created_at: i64, opens: Opens) -> Link {
    Link {
        code: code.into(),
        campaign: CAMPAIGN,
        opens,
        created_at: At(created_at),
        expires_at: None,
        revoked_at: None,
    }
}

fn http_session(token_sha256: &str, who: Who) -> HttpSession {
    HttpSession { token_sha256: token_sha256.into(), who, created_at: At(1), seen_at: At(2) }
}
