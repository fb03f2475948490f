//! The writer's connection to the file, and one transaction on it.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{append, checkpoint::Asking};
use crate::{
    trouble::Trouble,
    writer::{Answers, Lane, Other, Waiting},
};

pub(super) struct FileLane {
    options: SqliteConnectOptions,
    on: Option<SqliteConnection>,
    asking: Asking,
}

impl FileLane {
    pub(super) fn new(options: SqliteConnectOptions, on: SqliteConnection, asking: Asking) -> Self {
        Self { options, on: Some(on), asking }
    }

    async fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        match &mut self.on {
            Some(on) => Ok(on),
            none => Ok(none.insert(SqliteConnection::connect_with(&self.options).await?)),
        }
    }
}

#[async_trait]
impl Lane for FileLane {
    type On = SqliteConnection;

    async fn transact(
        &mut self,
        appends: &[Waiting],
        weed: bool,
        others: &mut [Box<dyn Other<SqliteConnection>>],
    ) -> Result<Answers, Trouble> {
        let on = self.connection().await?;
        let outcome = attempt(on, appends, weed, others).await;
        if outcome.is_err() {
            // Fails when SQLite rolled back by itself, which is as good.
            drop(sqlx::query("ROLLBACK").execute(&mut *on).await);
            if on.ping().await.is_err() {
                self.on = None;
            }
        }
        outcome
    }

    fn after(&mut self, writes: usize) {
        self.asking.after(writes);
    }

    async fn close(self) {
        if let Some(on) = self.on
            && let Err(error) = on.close().await
        {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }
}

async fn attempt(
    on: &mut SqliteConnection,
    appends: &[Waiting],
    weed: bool,
    others: &mut [Box<dyn Other<SqliteConnection>>],
) -> Result<Answers, Trouble> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *on).await?;
    let known = if weed { append::stored(on, appends).await? } else { HashMap::new() };
    let answers = append::apply(on, appends, known).await?;
    for other in others {
        aside(on, other.as_mut()).await?;
    }
    sqlx::query("COMMIT").execute(on).await?;
    Ok(answers)
}

/// Runs `other` so that its failure undoes only itself.
async fn aside(
    on: &mut SqliteConnection,
    other: &mut dyn Other<SqliteConnection>,
) -> Result<(), Trouble> {
    sqlx::query("SAVEPOINT aside").execute(&mut *on).await?;
    match other.run(on).await.map_err(Trouble::from) {
        Ok(()) => {}
        Err(Trouble::Guilty(reason)) => {
            tracing::error!(%reason, "a write broke a rule of the tables");
            sqlx::query("ROLLBACK TO aside").execute(&mut *on).await?;
        }
        Err(away) => return Err(away),
    }
    sqlx::query("RELEASE aside").execute(on).await?;
    Ok(())
}
