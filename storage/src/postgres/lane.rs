//! The writer's connection to the server, and one transaction on it.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use super::append;
use crate::{
    trouble::Trouble,
    writer::{Answers, Lane, Other, Waiting},
};

/// How long a transaction may take before the server counts as away: longer than a disk's worst
/// moment, shorter than the patience of who waits.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct ServerLane {
    options: PgConnectOptions,
    alone: bool,
    on: Option<PgConnection>,
}

impl ServerLane {
    /// Connects when it has something to write, if it is not connected yet.
    pub(super) fn new(options: PgConnectOptions, alone: bool, on: Option<PgConnection>) -> Self {
        Self { options, alone, on }
    }

    /// Takes the connection out: what is cancelled half-way never comes back.
    async fn connection(&mut self) -> Result<PgConnection, sqlx::Error> {
        match self.on.take() {
            Some(on) => Ok(on),
            None => super::open::connect(&self.options, self.alone).await,
        }
    }
}

#[async_trait]
impl Lane for ServerLane {
    type On = PgConnection;

    async fn transact(
        &mut self,
        appends: &[Waiting],
        weed: bool,
        others: &mut [Box<dyn Other<PgConnection>>],
    ) -> Result<Answers, Trouble> {
        let whole = async {
            let mut on = self.connection().await?;
            let outcome = attempt(&mut on, appends, weed, others).await;
            let usable = outcome.is_ok() || roll_back(&mut on).await;
            self.on = usable.then_some(on);
            outcome
        };
        let late = |_| Trouble::Away(format!("the database did not answer within {PATIENCE:?}"));
        timeout(PATIENCE, whole).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    async fn close(self) {
        if let Some(on) = self.on
            && let Err(error) = on.close().await
        {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }
}

/// Whether the connection can be used again.
async fn roll_back(on: &mut PgConnection) -> bool {
    sqlx::query("ROLLBACK").execute(on).await.is_ok()
}

async fn attempt(
    on: &mut PgConnection,
    appends: &[Waiting],
    weed: bool,
    others: &mut [Box<dyn Other<PgConnection>>],
) -> Result<Answers, Trouble> {
    if others.is_empty() && !weed {
        // One statement is a transaction of its own.
        return Ok(append::apply(on, appends, &HashMap::new()).await?);
    }
    let mut answers = vec![];
    let mut before = "BEGIN";
    if !appends.is_empty() {
        say(on, before, "").await?;
        let known = if weed { append::stored(on, appends).await? } else { HashMap::new() };
        answers = append::apply(on, appends, &known).await?;
        before = "";
    }
    for other in others {
        say(on, before, "SAVEPOINT aside").await?;
        before = aside(on, other.as_mut()).await?;
    }
    say(on, before, "COMMIT").await?;
    Ok(answers)
}

/// Two statements in one message: each answer that is waited for costs a way there and back.
async fn say(on: &mut PgConnection, first: &str, then: &str) -> Result<(), sqlx::Error> {
    let both = AssertSqlSafe(format!("{first};{then}"));
    sqlx::raw_sql(both).execute(on).await.map(|_| ())
}

/// Runs `other` so that its failure undoes only itself. Answers with what its savepoint ends.
async fn aside(
    on: &mut PgConnection,
    other: &mut dyn Other<PgConnection>,
) -> Result<&'static str, Trouble> {
    match other.run(on).await.map_err(Trouble::from) {
        Ok(()) => Ok("RELEASE aside"),
        Err(Trouble::Guilty(reason)) => {
            tracing::error!(%reason, "a write broke a rule of the tables");
            Ok("ROLLBACK TO aside;RELEASE aside")
        }
        Err(away) => Err(away),
    }
}
