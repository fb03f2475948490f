//! Shards: epochs, signs of life, outages.

use async_trait::async_trait;
use domain::{
    aggregate::Outage,
    at::At,
    ports::{Shard, Shards, Unavailable},
};
use sqlx::PgConnection;

use super::Postgres;
use crate::trouble::away;

/// `FOR UPDATE` waits for everybody who writes under the epoch before, which `FOR KEY SHARE` keeps
/// as it is; a sign of life, which changes no epoch, waits for none of them.
const TAKE: &str = "
    WITH mine AS (SELECT id, alive_at FROM shards WHERE id = $1 FOR UPDATE),
    missed AS (
        INSERT INTO outages (shard, from_at, to_at)
        SELECT id, alive_at, $3 FROM mine WHERE alive_at < $3
        ON CONFLICT DO NOTHING)
    UPDATE shards SET epoch = epoch + 1, owner = $2, alive_at = $3 FROM mine
    WHERE shards.id = mine.id RETURNING epoch";

/// What another took in the moment before is seen when its lock is, and left out. In order of id,
/// as every writer locks them.
const TAKE_AFTER: &str = "
    WITH mine AS (
        SELECT shards.id, alive_at FROM shards
        JOIN UNNEST ($1::int[], $2::bigint[]) AS m (id, epoch) USING (id, epoch)
        ORDER BY shards.id FOR UPDATE OF shards),
    missed AS (
        INSERT INTO outages (shard, from_at, to_at)
        SELECT id, alive_at, $4 FROM mine WHERE alive_at < $4
        ON CONFLICT DO NOTHING)
    UPDATE shards SET epoch = epoch + 1, owner = $3, alive_at = $4 FROM mine
    WHERE shards.id = mine.id RETURNING shards.id, epoch";

const SHARDS: &str = "SELECT id, epoch, owner, alive_at FROM shards ORDER BY id";

const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// In order of id, as every writer locks them.
const ALIVE: &str = "
    WITH mine AS (
        SELECT shards.id FROM shards
        JOIN UNNEST ($1::int[], $2::bigint[]) AS m (id, epoch) USING (id, epoch)
        ORDER BY shards.id FOR NO KEY UPDATE OF shards)
    UPDATE shards SET alive_at = greatest(alive_at, $3) FROM mine WHERE shards.id = mine.id";

const LOST: &str = "
    SELECT m.id FROM UNNEST ($1::int[], $2::bigint[]) WITH ORDINALITY AS m (id, epoch, place)
    LEFT JOIN shards ON shards.id = m.id
    WHERE shards.epoch IS DISTINCT FROM m.epoch ORDER BY m.place";

/// Of those of `$1` that are still of their epoch in `$2`.
const KEEP: &str = "
    INSERT INTO outages (shard, from_at, to_at)
    SELECT shards.id, o.from_at, o.to_at
    FROM UNNEST ($3::int[], $4::bigint[], $5::bigint[]) AS o (id, from_at, to_at)
    JOIN UNNEST ($1::int[], $2::bigint[]) AS m (id, epoch) USING (id)
    JOIN shards USING (id, epoch)
    WHERE o.from_at < o.to_at ON CONFLICT DO NOTHING";

const OUTAGES_OF: &str = "
    SELECT shard, from_at, to_at FROM outages WHERE shard = ANY ($1) AND to_at > $2
    ORDER BY shard, from_at, to_at";

const OUTAGES: &str = "
    SELECT from_at, to_at FROM outages WHERE shard = $1 AND to_at > $2 ORDER BY from_at, to_at";

#[async_trait]
impl Shards for Postgres {
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
        let (ids, epochs) = columns(shards);
        let owner = owner.to_owned();
        let taken = self.write(move |on| Box::pin(take_after(on, ids, epochs, owner, now))).await?;
        let mut taken: Vec<_> = taken.into_iter().filter_map(numbers).collect();
        taken.sort_unstable();
        Ok(taken)
    }

    async fn shards(&self) -> Result<Vec<Shard>, Unavailable> {
        let found: Vec<(i32, i64, Option<String>, Option<i64>)> =
            sqlx::query_as(SHARDS).fetch_all(&self.readers).await.map_err(away)?;
        let shard = |(id, epoch, owner, alive_at): (i32, i64, _, Option<i64>)| {
            let (id, epoch) = numbers((id, epoch))?;
            Some(Shard { id, epoch, owner, alive_at: alive_at.map(At) })
        };
        Ok(found.into_iter().filter_map(shard).collect())
    }

    async fn clock(&self) -> Result<Option<At>, Unavailable> {
        let (now,) = sqlx::query_as(CLOCK).fetch_one(&self.readers).await.map_err(away)?;
        Ok(Some(At(now)))
    }

    async fn alive(
        &self,
        shards: &[(u16, u64)],
        outages: &[(u16, Outage)],
        now: At,
    ) -> Result<Vec<u16>, Unavailable> {
        let (ids, epochs) = columns(shards);
        let outages = outages.to_vec();
        let lost = self.write(move |on| Box::pin(alive(on, ids, epochs, outages, now))).await?;
        Ok(lost.into_iter().filter_map(|(id,)| u16::try_from(id).ok()).collect())
    }

    async fn outages_of(
        &self,
        shards: &[u16],
        since: At,
    ) -> Result<Vec<(u16, Outage)>, Unavailable> {
        let ids: Vec<i32> = shards.iter().copied().map(i32::from).collect();
        let found: Vec<(i32, i64, i64)> = sqlx::query_as(OUTAGES_OF)
            .bind(ids)
            .bind(since.0)
            .fetch_all(&self.readers)
            .await
            .map_err(away)?;
        let read = |(id, from, to): (i32, i64, i64)| {
            Some((u16::try_from(id).ok()?, Outage { from: At(from), to: At(to) }))
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    async fn outages(&self, shard: u16, since: At) -> Result<Vec<Outage>, Unavailable> {
        let found: Vec<(i64, i64)> = sqlx::query_as(OUTAGES)
            .bind(i32::from(shard))
            .bind(since.0)
            .fetch_all(&self.readers)
            .await
            .map_err(away)?;
        Ok(found.into_iter().map(|(from, to)| Outage { from: At(from), to: At(to) }).collect())
    }
}

fn columns(shards: &[(u16, u64)]) -> (Vec<i32>, Vec<i64>) {
    shards.iter().map(|(id, epoch)| (i32::from(*id), epoch.cast_signed())).unzip()
}

fn numbers((id, epoch): (i32, i64)) -> Option<(u16, u64)> {
    Some((u16::try_from(id).ok()?, epoch.cast_unsigned()))
}

async fn take(
    on: &mut PgConnection,
    shard: u16,
    owner: String,
    now: At,
) -> Result<i64, sqlx::Error> {
    let take = sqlx::query_as(TAKE).bind(i32::from(shard)).bind(owner).bind(now.0);
    let taken = take.fetch_one(on).await;
    taken.map(|(epoch,)| epoch)
}

async fn take_after(
    on: &mut PgConnection,
    ids: Vec<i32>,
    epochs: Vec<i64>,
    owner: String,
    now: At,
) -> Result<Vec<(i32, i64)>, sqlx::Error> {
    let take = sqlx::query_as(TAKE_AFTER).bind(ids).bind(epochs).bind(owner).bind(now.0);
    take.fetch_all(on).await
}

async fn alive(
    on: &mut PgConnection,
    ids: Vec<i32>,
    epochs: Vec<i64>,
    outages: Vec<(u16, Outage)>,
    now: At,
) -> Result<Vec<(i32,)>, sqlx::Error> {
    sqlx::query(ALIVE).bind(&ids).bind(&epochs).bind(now.0).execute(&mut *on).await?;
    if !outages.is_empty() {
        let of: Vec<i32> = outages.iter().map(|(id, _)| i32::from(*id)).collect();
        let from: Vec<i64> = outages.iter().map(|(_, outage)| outage.from.0).collect();
        let to: Vec<i64> = outages.iter().map(|(_, outage)| outage.to.0).collect();
        let keep = sqlx::query(KEEP).bind(&ids).bind(&epochs).bind(of).bind(from).bind(to);
        keep.execute(&mut *on).await?;
    }
    sqlx::query_as(LOST).bind(ids).bind(epochs).fetch_all(on).await
}
