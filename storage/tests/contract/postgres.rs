//! Every case of the suite against PostgreSQL, each in a schema of its own, on one server that is
//! started for them. A case that fails does not keep the others from being tried.

use std::{pin::Pin, sync::Arc};

use storage::{postgres::Postgres, scratch::Scratch};
use tokio::task::JoinSet;

use crate::POSTGRES;

/// One case of the suite.
pub(crate) type Case = fn(Arc<Postgres>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

#[tokio::test]
async fn postgres_keeps_every_case() {
    let Some(server) = Scratch::start().await.unwrap() else {
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL must be there");
        eprintln!("left out: {} cases, PostgreSQL is not installed", POSTGRES.len());
        return;
    };
    let mut failed = vec![];
    for (nth, (name, case)) in POSTGRES.iter().enumerate() {
        let address = server.schema(&format!("case_{nth}")).await.unwrap();
        let store = Postgres::open(&address).await.unwrap();
        let mut apart = JoinSet::new();
        apart.spawn(case(Arc::clone(&store)));
        if apart.join_next().await.is_none_or(|ended| ended.is_err()) {
            failed.push(*name);
        }
        store.close().await;
    }
    assert!(failed.is_empty(), "{} of {} failed: {failed:#?}", failed.len(), POSTGRES.len());
}
