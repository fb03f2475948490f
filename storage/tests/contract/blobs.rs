//! Blobs.

use std::sync::Arc;

use domain::blob::sha256_hex;

use crate::kit::Store;

pub(crate) async fn bytes_come_back_by_their_hash(store: Arc<impl Store>) {
    for bytes in [vec![], b"a\0b".to_vec(), vec![7; 3 << 20]] {
        let blob = store.put(bytes.clone().into()).await.unwrap();
        assert_eq!(blob.sha256, sha256_hex(&bytes));
        assert_eq!(store.get(&blob.sha256).await.unwrap().unwrap(), bytes);
    }
    assert_eq!(store.get(&sha256_hex(b"nobody kept this")).await.unwrap(), None);
}

pub(crate) async fn the_same_bytes_are_kept_once(store: Arc<impl Store>) {
    let first = store.put("same".into()).await.unwrap();
    let (again, once_more) = tokio::join!(store.put("same".into()), store.put("same".into()));
    assert_eq!(again.unwrap(), first);
    assert_eq!(once_more.unwrap(), first);
}
