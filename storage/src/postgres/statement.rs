//! The statement that appends a batch, put together from the steps that the batch needs.

/// Its steps, each of which needs the one before, so that they happen in this order:
///
/// 1. Lock the shards, in order of id, and read their epochs behind the lock. Shared with who gives
///    a sign of life; who takes a shard waits until this is over, or is seen.
/// 2. What has that epoch is tried: a new stream is made under an id drawn for it, the head of
///    another moves on if it is where its writer thinks.
/// 3. Events and rows follow of those that won, found by their place: mostly all did, and then
///    their places are their positions. Of several changes of a row the last counts. Rows are
///    written in order, so that two writers never wait for each other.
///
/// Mostly no stream is new, and some change no rows: each step costs some 50 us, though it finds
/// nothing to do, and is left out then.
macro_rules! append {
    ($fresh:literal, $won:literal, $changed:literal) => {
        concat!(
            "
    WITH locked AS MATERIALIZED (
        SELECT id, epoch FROM shards WHERE id = ANY ($1::int[]) ORDER BY id FOR KEY SHARE),
    owned AS MATERIALIZED (SELECT array_agg(epoch) AS epochs FROM locked),
    tried AS MATERIALIZED (
        SELECT a.*, $1[a.shard] AS shard_id
        FROM UNNEST ($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                     $8::bigint[], $9::bigint[]) WITH ORDINALITY
            AS a (stream, shard, epoch, expected, seq, wake_at, untold, rows_seq, place)
        WHERE a.epoch = (SELECT epochs FROM owned)[a.shard]),",
            $fresh,
            "
    moved AS (
        UPDATE streams
        SET seq = a.seq, wake_at = a.wake_at, untold = a.untold,
            rows_seq = coalesce(a.rows_seq, streams.rows_seq)
        FROM tried AS a
        WHERE a.expected > 0 AND streams.stream = a.stream AND streams.seq = a.expected
          AND streams.erased_at IS NULL
        RETURNING a.place, streams.id),
    won AS MATERIALIZED (
        SELECT count(*) = cardinality($2) AS all, array_agg(place ORDER BY place) AS places,
               array_agg(id ORDER BY place) AS ids
        FROM (SELECT place, id FROM moved",
            $won,
            ") AS each),
    kept AS (
        INSERT INTO events (stream, seq, at, origin, command_id, n, kind, body)
        SELECT * FROM (
            SELECT CASE WHEN won.all THEN won.ids[place]
                        ELSE won.ids[array_position(won.places, place::bigint)] END AS id,
                   e.seq, at, origin, command_id, n, kind, body
            FROM won, UNNEST ($10::int[], $11::bigint[], $12::bigint[], $13::text[], $14::uuid[],
                              $15::int[], $16::text[], $17::bytea[])
                AS e (place, seq, at, origin, command_id, n, kind, body)) AS every
        WHERE id IS NOT NULL
        RETURNING stream, command_id, n, origin, seq),
    known AS (
        INSERT INTO commands (stream, command_id, n, origin, seq) SELECT * FROM kept)",
            $changed,
            "
    SELECT won.all, CASE WHEN NOT won.all THEN won.places END,
           CASE WHEN NOT won.all THEN (SELECT array_agg(place) FROM tried) END
    FROM won"
        )
    };
    (fresh, $changed:literal) => {
        append!(
            "
    fresh AS MATERIALIZED (
        SELECT *, nextval('streams_id_seq') AS id FROM tried WHERE expected = 0),
    made AS (
        INSERT INTO streams (id, stream, shard, seq, wake_at, untold, rows_seq)
        OVERRIDING SYSTEM VALUE
        SELECT id, stream, shard_id, seq, wake_at, untold, coalesce(rows_seq, 0) FROM fresh
        ON CONFLICT (stream) DO NOTHING
        RETURNING id),
    really_made AS MATERIALIZED (SELECT count(*) AS n, array_agg(id) AS ids FROM made),",
            "
            UNION ALL
            SELECT place, id FROM fresh, really_made
            WHERE n = (SELECT count(*) FROM fresh) OR id = ANY (ids)",
            $changed
        )
    };
    (known, $changed:literal) => {
        append!("", "", $changed)
    };
    ($which:tt, changed) => {
        append!(
            $which,
            ",
    changed AS (
        INSERT INTO rows (topic, key, seq, value)
        SELECT DISTINCT ON (topic, key) topic, key, $6[r.place], value
        FROM won, UNNEST ($18::int[], $19::text[], $20::bytea[], $21::bytea[]) WITH ORDINALITY
            AS r (place, topic, key, value, nth)
        WHERE won.all OR r.place = ANY (won.places)
        ORDER BY topic, key, nth DESC
        ON CONFLICT (topic, key) DO UPDATE SET seq = excluded.seq, value = excluded.value)"
        )
    };
    ($which:tt, unchanged) => {
        append!($which, "")
    };
}

/// For a batch in which streams are new, and which changes rows.
pub(super) const fn append(is_any_fresh: bool, changes_rows: bool) -> &'static str {
    match (is_any_fresh, changes_rows) {
        (true, true) => append!(fresh, changed),
        (true, false) => append!(fresh, unchanged),
        (false, true) => append!(known, changed),
        (false, false) => append!(known, unchanged),
    }
}
