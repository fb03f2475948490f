-- The tables of SQLite, as PostgreSQL has them. Times are milliseconds since 1970, JSON is bytes, and text
-- is ordered by its bytes, as everywhere else.

CREATE TABLE shards (
    id       INT PRIMARY KEY,
    epoch    BIGINT NOT NULL,
    owner    TEXT,
    alive_at BIGINT
) WITH (fillfactor = 50);

INSERT INTO shards (id, epoch) SELECT id, 0 FROM generate_series(0, 255) AS id;

CREATE TABLE outages (
    shard   INT NOT NULL REFERENCES shards (id),
    from_at BIGINT NOT NULL,
    to_at   BIGINT NOT NULL,
    PRIMARY KEY (shard, from_at, to_at)
);

-- The head of each stream. It changes with each append, mostly in place: hence the room in its pages.
CREATE TABLE streams (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream    TEXT COLLATE "C" NOT NULL UNIQUE,
    shard     INT NOT NULL,
    seq       BIGINT NOT NULL DEFAULT 0,
    wake_at   BIGINT,
    untold    BIGINT,
    rows_seq  BIGINT NOT NULL DEFAULT 0,
    erased_at BIGINT
) WITH (fillfactor = 50);

CREATE INDEX streams_wake ON streams (wake_at, stream) WHERE wake_at IS NOT NULL;
CREATE INDEX streams_untold ON streams (stream) WHERE untold IS NOT NULL;

CREATE TABLE events (
    stream     BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    origin     TEXT NOT NULL,
    command_id UUID NOT NULL,
    n          INT NOT NULL,
    kind       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    PRIMARY KEY (stream, seq)
);

-- Which commands were carried out. A table of its own and no index of `events`, since it outlives
-- them in a segment.
CREATE TABLE commands (
    stream     BIGINT NOT NULL,
    command_id UUID NOT NULL,
    n          INT NOT NULL,
    origin     TEXT NOT NULL,
    seq        BIGINT NOT NULL,
    PRIMARY KEY (stream, command_id, n, origin)
);

CREATE TABLE segments (
    stream   BIGINT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq   BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    PRIMARY KEY (stream, to_seq)
);

CREATE TABLE snapshots (
    stream BIGINT PRIMARY KEY,
    seq    BIGINT NOT NULL,
    schema BIGINT NOT NULL,
    body   BYTEA NOT NULL
);

-- `key` is bytes, since text may hold no NUL here. `value` is NULL in a tombstone.
CREATE TABLE rows (
    topic TEXT COLLATE "C" NOT NULL,
    key   BYTEA NOT NULL,
    seq   BIGINT NOT NULL,
    value BYTEA,
    PRIMARY KEY (topic, key)
) WITH (fillfactor = 70);

CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY,
    bytes  BYTEA NOT NULL
);

-- `email_key` is the address in lower case.
CREATE TABLE people (
    id             TEXT COLLATE "C" PRIMARY KEY,
    email          TEXT NOT NULL,
    email_key      TEXT NOT NULL UNIQUE,
    name           TEXT COLLATE "C" NOT NULL,
    role           TEXT NOT NULL,
    password_hash  TEXT NOT NULL,
    welcome_sha256 TEXT,
    welcome_until  BIGINT,
    disabled_at    BIGINT
);

CREATE TABLE contacts (
    session   TEXT COLLATE "C" PRIMARY KEY,
    campaign  TEXT NOT NULL,
    email     TEXT NOT NULL,
    email_key TEXT NOT NULL,
    name      TEXT COLLATE "C" NOT NULL,
    alias     TEXT NOT NULL,
    UNIQUE (campaign, email_key)
);

-- `session` is NULL in a link to a wall.
CREATE TABLE links (
    code       TEXT COLLATE "C" PRIMARY KEY,
    campaign   TEXT NOT NULL,
    session    TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE INDEX links_campaign ON links (campaign, created_at, code);
CREATE INDEX links_session ON links (session) WHERE session IS NOT NULL;

CREATE TABLE http_sessions (
    token_sha256 TEXT PRIMARY KEY,
    who          TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL
);

CREATE INDEX http_sessions_who ON http_sessions (who);
