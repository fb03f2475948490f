//! PostgreSQL: what shares a transaction, what is guilty, and a server that goes and comes back.

use std::sync::Arc;

use domain::{
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, Blobs, EventStore, People, Shards},
    stream::Stream,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use storage::{
    postgres::{Address, OpenError, Postgres},
    scratch::Scratch,
};
use tokio::task::JoinSet;

use crate::kit::{append, is_away, own, session};

/// The schema of every test; each has a server of its own.
pub(crate) const SCHEMA: &str = "here";

/// A server, or nothing where there is none to be had.
pub(crate) async fn server() -> Option<Scratch> {
    let server = Scratch::start().await.unwrap();
    if server.is_none() {
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL must be there");
        eprintln!("left out: PostgreSQL is not installed");
    }
    server
}

async fn open(server: &Scratch) -> Arc<Postgres> {
    let address = server.schema(SCHEMA).await.unwrap();
    Postgres::open(&address).await.unwrap()
}

/// Somebody else's connection to the same tables.
pub(crate) async fn connect(server: &Scratch) -> PgConnection {
    PgConnection::connect(&server.url_of(SCHEMA)).await.unwrap()
}

/// Keeps the writer waiting, so that what comes meanwhile is one batch.
struct Held {
    by: PgConnection,
    waits: JoinSet<Result<(), AppendError>>,
}

impl Held {
    async fn hold(server: &Scratch, store: &Arc<Postgres>) -> Self {
        let mut by = connect(server).await;
        let first = session(1_000);
        let lock = format!("BEGIN; SELECT 1 FROM shards WHERE id = {} FOR UPDATE", first.shard());
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut by).await.unwrap();
        let (mut waits, store) = (JoinSet::new(), Arc::clone(store));
        waits.spawn(async move { store.append(append(first, 0, 0)).await });
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut by).await.unwrap() == 0 {
            let early = waits.try_join_next();
            assert!(early.is_none(), "it does not wait: {early:?}");
            tokio::task::yield_now().await;
            // In a transaction what was seen once stays as it was.
            sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut by).await.unwrap();
        }
        Self { by, waits }
    }

    async fn let_go(mut self) {
        sqlx::query("COMMIT").execute(&mut self.by).await.unwrap();
        self.waits.join_next().await.unwrap().unwrap().unwrap();
        self.by.close().await.unwrap();
    }
}

/// The `n`th session that the writer which is held writes as well, in another shard.
fn beside(n: u128) -> u128 {
    let held = session(1_000).shard();
    let is_beside = |n: &u128| session(*n).shard() != held && session(*n).shard() % 2 == held % 2;
    (0..).filter(is_beside).nth(usize::try_from(n).unwrap()).unwrap()
}

/// An append to a stream with one event behind it, in a shard that nobody took yet.
async fn second(store: &Postgres, n: u128) -> Append {
    let stream = session(n);
    store.append(append(stream, 0, 0)).await.unwrap();
    let mut next = append(stream, 0, 1);
    next.events[0].command_id = CommandId::from_u128(77);
    next
}

async fn events_of(store: &Postgres, stream: Stream) -> usize {
    store.read(stream, 0, 10).await.unwrap().len()
}

#[tokio::test]
async fn a_mixed_batch_answers_each_append_on_its_own() {
    let Some(server) = server().await else { return };
    let store = open(&server).await;
    let good = second(&store, beside(1)).await;
    let mut conflict = second(&store, beside(2)).await;
    conflict.expected_seq = 2;
    conflict.events[0].seq = 3;
    let mut fenced = second(&store, beside(3)).await;
    fenced.epoch += 1;
    let mut duplicate = second(&store, beside(4)).await;
    duplicate.events[0].command_id = CommandId::from_u128(1);
    let mut nul_in_text = second(&store, beside(5)).await;
    nul_in_text.events[0].kind = "Edi\0ted".into();
    let mut nul_in_body = second(&store, beside(6)).await;
    nul_in_body.events[0].body = "a\0b".into();
    let new = append(session(beside(7)), 0, 0);

    let held = Held::hold(&server, &store).await;
    let (good, conflict, fenced, duplicate, nul_in_text, nul_in_body, new, ()) = tokio::join!(
        store.append(good),
        store.append(conflict),
        store.append(fenced),
        store.append(duplicate),
        store.append(nul_in_text),
        store.append(nul_in_body),
        store.append(new),
        held.let_go(),
    );
    assert!(good.is_ok() && nul_in_body.is_ok() && new.is_ok(), "{good:?} {nul_in_body:?} {new:?}");
    assert!(matches!(conflict, Err(AppendError::Conflict)), "{conflict:?}");
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
    let is_first = matches!(duplicate, Err(AppendError::Duplicate { seq: 1, .. }));
    assert!(is_first, "{duplicate:?}");
    assert!(is_away(&nul_in_text), "{nul_in_text:?}");
    for (n, events) in [(1, 2), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2), (7, 1)] {
        assert_eq!(events_of(&store, session(beside(n))).await, events, "session {n}");
    }
    store.close().await;
}

#[tokio::test]
async fn appends_that_wait_share_one_transaction() {
    let Some(server) = server().await else { return };
    let store = open(&server).await;
    let appends: Vec<_> = (0..150).map(|n| append(session(beside(n)), 0, 0)).collect();
    let held = Held::hold(&server, &store).await;
    let all = futures_util::future::join_all(appends.into_iter().map(|one| store.append(one)));
    let (answers, ()) = tokio::join!(all, held.let_go());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut on = connect(&server).await;
    let per_transaction = "SELECT count(*) FROM events GROUP BY xmin::text ORDER BY 1";
    let counts: Vec<i64> = sqlx::query_scalar(per_transaction).fetch_all(&mut on).await.unwrap();
    assert_eq!(counts, [1, 150]);
    store.close().await;
}

#[tokio::test]
async fn the_guilty_append_of_a_batch_on_postgres_is_alone() {
    let Some(server) = server().await else { return };
    let store = open(&server).await;
    let poison = "
        CREATE FUNCTION here.poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END $$;
        CREATE TRIGGER poison BEFORE INSERT ON here.events FOR EACH ROW
        WHEN (new.kind = 'Poison') EXECUTE FUNCTION here.poison();
        CREATE TRIGGER poison BEFORE INSERT ON here.blobs FOR EACH ROW
        WHEN (new.bytes = 'poison') EXECUTE FUNCTION here.poison()";
    server.execute(poison).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let mut append = append(session(n), 0, 0);
        if n % 17 == 3 {
            append.events[0].kind = "Poison".into();
        }
        let store = Arc::clone(&store);
        tasks.spawn(async move { (n, store.append(append).await) });
    }
    let (bad, good, taken) = tokio::join!(
        store.put("poison".into()),
        store.put("food".into()),
        store.take(session(2_000).shard(), "test", At(0)),
    );
    assert!(bad.unwrap_err().to_string().contains("poison"));
    assert!(store.get(&good.unwrap().sha256).await.unwrap().is_some());
    assert!(taken.is_ok());
    for (n, answer) in tasks.join_all().await {
        let fenced = matches!(answer, Err(AppendError::Fenced));
        assert!(fenced || is_away(&answer) == (n % 17 == 3), "{n}: {answer:?}");
        assert_eq!(events_of(&store, session(n)).await, usize::from(answer.is_ok()));
    }
    store.close().await;
}

#[tokio::test]
async fn a_lost_connection_is_said_and_comes_back() {
    let Some(mut server) = server().await else { return };
    let store = open(&server).await;
    let next = second(&store, 1).await;
    server.stop().unwrap();
    let lost = store.append(next.clone()).await;
    assert!(is_away(&lost), "{lost:?}");
    assert!(is_away(&store.append(next.clone()).await));
    assert!(store.read(session(1), 0, 10).await.is_err());
    server.start_again().await.unwrap();
    store.append(next).await.unwrap();
    assert_eq!(events_of(&store, session(1)).await, 2);
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_of_the_server_is_said_and_got_over() {
    let Some(server) = server().await else { return };
    let store = open(&server).await;
    let full = "
        CREATE FUNCTION here.full() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON here.events
        FOR EACH STATEMENT EXECUTE FUNCTION here.full()";
    let next = second(&store, 1).await;
    server.execute(full).await.unwrap();
    let refusal = store.append(next.clone()).await.unwrap_err();
    let is_full = matches!(&refusal, AppendError::Unavailable(why) if why.is_disk_full());
    assert!(is_full && refusal.to_string().contains("the disk is full"), "{refusal}");
    assert_eq!(events_of(&store, session(1)).await, 1);
    server.execute("DROP TRIGGER full_disk ON here.events").await.unwrap();
    store.append(next).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn two_programs_open_a_new_database_at_once_and_the_later_owner_fences() {
    let Some(server) = server().await else { return };
    let address = server.schema(SCHEMA).await.unwrap();
    let (one, two) = tokio::join!(Postgres::open(&address), Postgres::open(&address));
    let (one, two) = (one.unwrap(), two.unwrap());
    let mine = second(&one, 1).await;
    let epoch = own(&*two, session(1)).await;
    assert!(matches!(one.append(mine.clone()).await, Err(AppendError::Fenced)));
    two.append(Append { epoch, ..mine }).await.unwrap();
    assert_eq!(events_of(&one, session(1)).await, 2);
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn a_second_server_on_one_database_is_refused_until_the_first_is_gone() {
    let Some(mut server) = server().await else { return };
    let address = server.schema(SCHEMA).await.unwrap();
    let first = Postgres::open_alone(&address).await.unwrap();
    let refused = Postgres::open_alone(&address).await;
    assert!(matches!(refused, Err(OpenError::Running { .. })), "{refused:?}");
    server.stop().unwrap();
    server.start_again().await.unwrap();
    assert!(is_away(&first.append(append(session(1), 0, 0)).await));
    first.append(append(session(1), 0, 0)).await.unwrap();
    let refused = Postgres::open_alone(&address).await;
    assert!(matches!(refused, Err(OpenError::Running { .. })), "{refused:?}");
    first.close().await;
    Postgres::open_alone(&address).await.unwrap().close().await;
}

#[tokio::test]
async fn tables_of_a_newer_program_are_left_alone() {
    let Some(server) = server().await else { return };
    let address = server.schema(SCHEMA).await.unwrap();
    Postgres::open(&address).await.unwrap().close().await;
    server.execute("UPDATE here.version SET version = 99").await.unwrap();
    let beside = Postgres::open(&address).await.unwrap();
    assert_eq!(beside.administrators().await.unwrap(), 0, "a newer one that still lets us in");
    beside.close().await;
    server.execute("UPDATE here.version SET oldest = 98").await.unwrap();
    let refused = Postgres::open(&address).await;
    assert!(matches!(refused, Err(OpenError::Newer { needs: 98, .. })), "{refused:?}");
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said() {
    let Some(server) = server().await else { return };
    let url = server.url();
    let open = async |url: &str| {
        let address: Address = url.parse().unwrap();
        let refused = Postgres::open(&address).await.unwrap_err();
        assert!(!refused.to_string().contains("wrong-password"), "{refused}");
        refused
    };
    let refused = open(&url.replace(":scratch@", ":wrong-password@")).await;
    assert!(matches!(refused, OpenError::Credentials { .. }), "{refused}");
    let refused = open(&url.replace("//postgres:", "//nobody:")).await;
    assert!(matches!(refused, OpenError::Credentials { .. }), "{refused}");
    let refused = open(&format!("{url}x")).await;
    assert!(matches!(refused, OpenError::NoDatabase { .. }), "{refused}");
    let refused = open("postgres://ada@127.0.0.1:1/poly").await;
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused}");
}
