//! Blobs: one table by SHA-256.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    blob::Blob,
    ports::{Blobs, Unavailable},
};

use super::Postgres;
use crate::trouble::away;

#[async_trait]
impl Blobs for Postgres {
    async fn put(&self, bytes: Bytes) -> Result<Blob, Unavailable> {
        let blob = Blob::of(&bytes);
        let found: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM blobs WHERE sha256 = $1")
            .bind(&blob.sha256)
            .fetch_optional(&self.readers)
            .await
            .map_err(away)?;
        if found.is_none() {
            let sha256 = blob.sha256.clone();
            self.write(move |on| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO blobs (sha256, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    )
                    .bind(sha256)
                    .bind(Vec::from(bytes))
                    .execute(on)
                    .await
                    .map(|_| ())
                })
            })
            .await?;
        }
        Ok(blob)
    }

    async fn get(&self, sha256: &str) -> Result<Option<Bytes>, Unavailable> {
        let found: Option<(Vec<u8>,)> = sqlx::query_as("SELECT bytes FROM blobs WHERE sha256 = $1")
            .bind(sha256)
            .fetch_optional(&self.readers)
            .await
            .map_err(away)?;
        Ok(found.map(|(bytes,)| bytes.into()))
    }
}
