-- The first tables. Times are milliseconds since 1970, JSON and command ids are bytes.

CREATE TABLE shards (
    id       INTEGER PRIMARY KEY,
    epoch    INTEGER NOT NULL,
    owner    TEXT,
    alive_at INTEGER
) STRICT;

WITH RECURSIVE ids (id) AS (VALUES (0) UNION ALL SELECT id + 1 FROM ids WHERE id < 255)
INSERT INTO shards (id, epoch) SELECT id, 0 FROM ids;

CREATE TABLE outages (
    shard   INTEGER NOT NULL REFERENCES shards (id),
    from_at INTEGER NOT NULL,
    to_at   INTEGER NOT NULL,
    PRIMARY KEY (shard, from_at, to_at)
) STRICT, WITHOUT ROWID;

-- The head of each stream. Other tables name a stream by its small `id`: a third of the bytes.
CREATE TABLE streams (
    id        INTEGER PRIMARY KEY,
    stream    TEXT NOT NULL UNIQUE,
    shard     INTEGER NOT NULL REFERENCES shards (id),
    seq       INTEGER NOT NULL DEFAULT 0,
    wake_at   INTEGER,
    untold    INTEGER,
    rows_seq  INTEGER NOT NULL DEFAULT 0,
    erased_at INTEGER
) STRICT;

CREATE INDEX streams_wake ON streams (wake_at, stream) WHERE wake_at IS NOT NULL;
CREATE INDEX streams_untold ON streams (stream) WHERE untold IS NOT NULL;

CREATE TABLE events (
    stream     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    origin     TEXT NOT NULL,
    command_id BLOB NOT NULL,
    n          INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    body       BLOB NOT NULL,
    PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;

-- Which commands were carried out. A table of its own and no index of `events`, since it outlives
-- them in a segment.
CREATE TABLE commands (
    stream     INTEGER NOT NULL,
    origin     TEXT NOT NULL,
    command_id BLOB NOT NULL,
    n          INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (stream, origin, command_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE segments (
    stream   INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq   INTEGER NOT NULL,
    body     BLOB NOT NULL,
    PRIMARY KEY (stream, to_seq)
) STRICT;

CREATE TABLE snapshots (
    stream INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL,
    schema INTEGER NOT NULL,
    body   BLOB NOT NULL
) STRICT;

-- `value` is NULL in a tombstone.
CREATE TABLE rows (
    topic TEXT NOT NULL,
    key   TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    value BLOB,
    PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

-- `email_key` is the address in lower case.
CREATE TABLE people (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL
) STRICT;

CREATE TABLE contacts (
    session   TEXT PRIMARY KEY,
    campaign  TEXT NOT NULL,
    email     TEXT NOT NULL,
    email_key TEXT NOT NULL,
    name      TEXT NOT NULL,
    alias     TEXT NOT NULL,
    UNIQUE (campaign, email_key)
) STRICT;

-- `session` is NULL in a link to a wall.
CREATE TABLE links (
    code       TEXT PRIMARY KEY,
    campaign   TEXT NOT NULL,
    session    TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE INDEX links_campaign ON links (campaign, created_at, code);
CREATE INDEX links_session ON links (session) WHERE session IS NOT NULL;

CREATE TABLE http_sessions (
    token_sha256 TEXT PRIMARY KEY,
    who          TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX http_sessions_who ON http_sessions (who);
