//! The interface, described for programs (OpenAPI 3.1).

use axum::Json;
use serde_json::{Map, Value, json};

/// Method, path, what it does. `docs/api.md` says the rest.
const ROUTES: &[(&str, &str, &str)] = &[
    ("get", "/setup", "Whether there is no administrator yet"),
    ("post", "/setup", "Create the first administrator with the printed link's token"),
    ("post", "/sign-in", "Sign in by email and password"),
    ("post", "/sign-out", "Sign out"),
    ("get", "/me", "The account that is signed in"),
    ("get", "/accounts", "List accounts"),
    ("post", "/accounts", "Add an account"),
    ("post", "/accounts/{id}/link", "Issue a link with which a password is chosen"),
    ("post", "/accounts/{id}/disable", "Sign somebody out for good"),
    ("post", "/accounts/{id}/enable", "Let somebody sign in again"),
    ("post", "/accounts/{id}/welcome", "Whose link this is"),
    ("put", "/accounts/{id}/welcome", "Choose a password with a link"),
    ("get", "/status", "How nodes and shards stand, for administrators"),
    ("get", "/languages", "The programming languages of this server"),
    ("get", "/contents", "List contents"),
    ("post", "/contents", "Create a content"),
    ("get", "/contents/{id}", "Read a content, its latest version unless `version` is given"),
    ("put", "/contents/{id}", "Save a content"),
    ("post", "/contents/{id}/archive", "Archive a content"),
    ("post", "/contents/{id}/restore", "Restore a content"),
    ("post", "/contents/import", "Import an ICPC or Kattis problem package (zip)"),
    ("get", "/contents/{id}/package.zip", "Download a content as a problem package"),
    ("post", "/contents/try", "Run a solution against validators (NDJSON)"),
    ("post", "/blobs", "Upload a validator's data"),
    ("get", "/blobs/{sha256}", "Download a validator's data"),
    ("get", "/tests", "List tests"),
    ("post", "/tests", "Create a test"),
    ("get", "/tests/{id}", "Read a test"),
    ("put", "/tests/{id}", "Save a test"),
    ("post", "/tests/{id}/archive", "Archive a test"),
    ("post", "/tests/{id}/restore", "Restore a test"),
    ("post", "/tests/{id}/preview", "Make a throwaway session of a test"),
    ("get", "/campaigns", "List campaigns"),
    ("post", "/campaigns", "Create a campaign"),
    ("get", "/campaigns/{id}", "Read a campaign with its candidates"),
    ("put", "/campaigns/{id}", "Change a campaign's settings"),
    ("put", "/campaigns/{id}/test", "Pin a test's version"),
    ("post", "/campaigns/{id}/announce", "Tell all candidates something"),
    ("post", "/campaigns/{id}/time", "Give time to one candidate or to all"),
    ("post", "/campaigns/{id}/pause", "Stop all clocks"),
    ("post", "/campaigns/{id}/resume", "Let all clocks run on"),
    ("post", "/campaigns/{id}/archive", "Archive a campaign"),
    ("post", "/campaigns/{id}/restore", "Restore a campaign"),
    ("post", "/campaigns/{id}/candidates", "Add candidates"),
    ("get", "/campaigns/{id}/candidates/{session}", "Read everything of a candidate"),
    ("put", "/campaigns/{id}/candidates/{session}", "Change a candidate"),
    ("delete", "/campaigns/{id}/candidates/{session}", "Remove a candidate"),
    ("post", "/campaigns/{id}/candidates/{session}/sent", "Mark a link as sent"),
    ("post", "/campaigns/{id}/candidates/{session}/invite", "Invite again"),
    ("post", "/campaigns/{id}/candidates/{session}/link", "Issue a new link"),
    ("delete", "/campaigns/{id}/candidates/{session}/link", "Revoke a link"),
    ("post", "/campaigns/{id}/candidates/{session}/late/{late}/accept", "Let a late edit count"),
    ("post", "/campaigns/{id}/wall", "Issue a new link to the wall"),
    ("delete", "/campaigns/{id}/wall", "Revoke the wall's link"),
    ("get", "/campaigns/{id}/results.csv", "The results as a file"),
    ("get", "/links/{code}", "What a candidate's link leads to"),
    ("post", "/links/{code}/open", "Open a candidate's link"),
    ("get", "/walls/{code}", "Open a wall's link"),
    ("get", "/sit/{session}/questions/{n}", "Read a question whose time has come"),
    ("get", "/sit/{session}/files", "Read one's files"),
    ("post", "/sit/{session}/check", "Run one short program"),
    ("get", "/sit/{session}/practice", "Read the practice question"),
    ("post", "/sit/{session}/practice/run", "Run the practice question"),
    ("get", "/sit/{session}/receipt", "Read the receipt"),
];

pub(super) async fn document() -> Json<Value> {
    Json(describe())
}

fn describe() -> Value {
    let mut paths = Map::new();
    for (method, path, summary) in ROUTES {
        let parameters: Vec<Value> = parameters(path).map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        }).collect();
        let operation = json!({
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "2XX": { "description": "Done" },
                "4XX": { "description": "Refused", "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Why" } } } },
            },
        });
        let entry = paths.entry(*path).or_insert_with(|| json!({}));
        entry[*method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Polycode", "version": env!("CARGO_PKG_VERSION") },
        "servers": [{ "url": "/api/v1" }],
        "paths": paths,
        "components": { "schemas": { "Why": {
            "type": "object",
            "required": ["code", "text"],
            "properties": {
                "code": { "type": "string", "description": "a stable word" },
                "text": { "type": "string", "description": "a sentence for people" },
                "retry_after_ms": { "type": "integer" },
            },
        } } },
    })
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The router's source is the list of what is served.
    #[test]
    fn every_route_is_described_and_every_description_is_served() {
        let source = include_str!("../api.rs");
        let mut served: Vec<&str> =
            source.split('"').filter(|text| text.starts_with('/')).collect();
        // Text between two paths is no path.
        served.retain(|text| !text.contains(char::is_whitespace));
        served.retain(|path| *path != "/openapi.json" && *path != "/api/v1");
        served.sort_unstable();
        served.dedup();
        let mut described: Vec<&str> = ROUTES.iter().map(|(_, path, _)| *path).collect();
        described.sort_unstable();
        described.dedup();
        assert_eq!(served, described);
    }
}
