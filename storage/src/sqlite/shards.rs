//! Shards: epochs, signs of life, outages.

use async_trait::async_trait;
use domain::{
    aggregate::Outage,
    at::At,
    ports::{Shard, Shards, Unavailable},
};
use sqlx::SqliteConnection;

use super::Sqlite;
use crate::trouble::away;

const MISSED: &str = "
    INSERT OR IGNORE INTO outages (shard, from_at, to_at)
    SELECT id, alive_at, ?2 FROM shards WHERE id = ?1 AND alive_at < ?2";

const TAKE: &str = "
    UPDATE shards SET epoch = epoch + 1, owner = ?2, alive_at = ?3 WHERE id = ?1 RETURNING epoch";

/// Of the shards with their epochs in `?1`: those that are still of that epoch.
const MISSED_AFTER: &str = "
    INSERT OR IGNORE INTO outages (shard, from_at, to_at)
    SELECT shards.id, alive_at, ?2 FROM json_each(?1) AS mine
    JOIN shards ON shards.id = mine.value ->> 0 AND shards.epoch = mine.value ->> 1
    WHERE alive_at < ?2";

const TAKE_AFTER: &str = "
    UPDATE shards SET epoch = epoch + 1, owner = ?2, alive_at = ?3
    FROM json_each(?1) AS mine
    WHERE shards.id = mine.value ->> 0 AND shards.epoch = mine.value ->> 1
    RETURNING shards.id, shards.epoch";

const SHARDS: &str = "SELECT id, epoch, owner, alive_at FROM shards ORDER BY id";

const ALIVE: &str = "
    UPDATE shards SET alive_at = max(coalesce(alive_at, ?2), ?2)
    FROM json_each(?1) AS mine
    WHERE shards.id = mine.value ->> 0 AND shards.epoch = mine.value ->> 1";

const LOST: &str = "
    SELECT mine.value ->> 0 FROM json_each(?1) AS mine
    LEFT JOIN shards ON shards.id = mine.value ->> 0
    WHERE shards.epoch IS NOT mine.value ->> 1 ORDER BY mine.key";

/// Of the shards with their epochs in `?1`, the outages in `?2`.
const KEEP: &str = "
    INSERT OR IGNORE INTO outages (shard, from_at, to_at)
    SELECT shards.id, kept.value ->> 1, kept.value ->> 2
    FROM json_each(?2) AS kept
    JOIN json_each(?1) AS mine ON mine.value ->> 0 = kept.value ->> 0
    JOIN shards ON shards.id = mine.value ->> 0 AND shards.epoch = mine.value ->> 1
    WHERE kept.value ->> 1 < kept.value ->> 2";

const OUTAGES: &str = "
    SELECT from_at, to_at FROM outages WHERE shard = ?1 AND to_at > ?2 ORDER BY from_at, to_at";

#[async_trait]
impl Shards for Sqlite {
    async fn take(&self, shard: u16, owner: &str, now: At) -> Result<u64, Unavailable> {
        let owner = owner.to_owned();
        let epoch = self.write(move |on| Box::pin(take(on, shard, owner, now))).await?;
        Ok(epoch.cast_unsigned())
    }

    async fn take_after(
        &self,
        shards: &[(u16, u64)],
        owner: &str,
        now: At,
    ) -> Result<Vec<(u16, u64)>, Unavailable> {
        let mine = serde_json::to_string(shards).expect("numbers are plain data");
        let owner = owner.to_owned();
        let taken = self.write(move |on| Box::pin(take_after(on, mine, owner, now))).await?;
        let mut taken: Vec<_> =
            taken.into_iter().map(|(id, epoch)| (id, epoch.cast_unsigned())).collect();
        taken.sort_unstable();
        Ok(taken)
    }

    async fn shards(&self) -> Result<Vec<Shard>, Unavailable> {
        let found: Vec<(u16, i64, Option<String>, Option<i64>)> =
            sqlx::query_as(SHARDS).fetch_all(&self.readers).await.map_err(away)?;
        let shard = |(id, epoch, owner, alive_at): (u16, i64, _, Option<i64>)| Shard {
            id,
            epoch: epoch.cast_unsigned(),
            owner,
            alive_at: alive_at.map(At),
        };
        Ok(found.into_iter().map(shard).collect())
    }

    /// The file is on the machine of its one node.
    async fn clock(&self) -> Result<Option<At>, Unavailable> {
        Ok(None)
    }

    async fn alive(
        &self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Result<Vec<u16>, Unavailable> {
        let mine = serde_json::to_string(shards).expect("numbers are plain data");
        let outages: Vec<_> = outages.iter().map(|(id, of)| (id, of.from.0, of.to.0)).collect();
        let outages = serde_json::to_string(&outages).expect("numbers are plain data");
        self.write(move |on| Box::pin(alive(on, mine, outages, now))).await
    }

    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable> {
        let found: Vec<(i64, i64)> = sqlx::query_as(OUTAGES)
            .bind(shard)
            .bind(since.0)
            .fetch_all(&self.readers)
            .await
            .map_err(away)?;
        Ok(found.into_iter().map(|(from, to)| Outage { from: At(from), to: At(to) }).collect())
    }
}

async fn take(
    on: &mut SqliteConnection,
    shard: u16,
    owner: String,
    now: At,
) -> Result<i64, sqlx::Error> {
    sqlx::query(MISSED).bind(shard).bind(now.0).execute(&mut *on).await?;
    let taken = sqlx::query_as(TAKE).bind(shard).bind(owner).bind(now.0).fetch_one(on).await;
    taken.map(|(epoch,)| epoch)
}

async fn take_after(
    on: &mut SqliteConnection,
    mine: String,
    owner: String,
    now: At,
) -> Result<Vec<(u16, i64)>, sqlx::Error> {
    sqlx::query(MISSED_AFTER).bind(&mine).bind(now.0).execute(&mut *on).await?;
    sqlx::query_as(TAKE_AFTER).bind(mine).bind(owner).bind(now.0).fetch_all(on).await
}

async fn alive(
    on: &mut SqliteConnection,
    mine: String,
    outages: String,
    now: At,
) -> Result<Vec<u16>, sqlx::Error> {
    sqlx::query(ALIVE).bind(&mine).bind(now.0).execute(&mut *on).await?;
    sqlx::query(KEEP).bind(&mine).bind(outages).execute(&mut *on).await?;
    let lost: Vec<(u16,)> = sqlx::query_as(LOST).bind(mine).fetch_all(on).await?;
    Ok(lost.into_iter().map(|(shard,)| shard).collect())
}
