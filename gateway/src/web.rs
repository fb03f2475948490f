//! The page's files, embedded in the binary.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` made. Without it there is only a page that says so.
#[derive(RustEmbed)]
#[folder = "../web/build"]
#[allow_missing = true]
struct Files;

/// Files with a hash in their name never change.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A file, or the page for every other address.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if let Some(response) = file(path, request.headers()) {
        return response;
    }
    // An address with a dot in its last part is a file that is not there.
    if path.rsplit('/').next().is_some_and(|last| last.contains('.')) {
        return StatusCode::NOT_FOUND.into_response();
    }
    file("index.html", request.headers()).unwrap_or_else(|| {
        let text = "The web front end was not built into this binary. Run `make run`.";
        (StatusCode::NOT_FOUND, text).into_response()
    })
}

fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = Files::get(path)?;
    let is_accepted = |name: &str| {
        let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        accepted.is_some_and(|list| list.split(',').any(|one| one.trim().starts_with(name)))
    };
    let packed = [("br", "br"), ("gzip", "gz")].into_iter().find_map(|(name, end)| {
        let packed: EmbeddedFile = Files::get(&format!("{path}.{end}"))?;
        is_accepted(name).then_some((name, packed))
    });
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let tag = etag(packed.as_ref().map_or(&plain, |(_, packed)| packed));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|list| list.split(',').any(|one| one.trim() == tag));
    let mut response = match packed {
        _ if is_known => StatusCode::NOT_MODIFIED.into_response(),
        Some((name, packed)) => {
            let encoding = [(header::CONTENT_ENCODING, HeaderValue::from_static(name))];
            (encoding, packed.data.into_owned()).into_response()
        }
        None => plain.data.into_owned().into_response(),
    };
    let is_hashed = path.contains("/immutable/");
    let cached = HeaderValue::from_static(if is_hashed { FOR_EVER } else { "no-cache" });
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_str(mime.as_ref()).ok()?);
    out.insert(header::CACHE_CONTROL, cached);
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::ETAG, HeaderValue::from_str(&tag).ok()?);
    Some(response)
}

/// The bytes by their hash, so that what a browser has is not sent to it again.
fn etag(file: &EmbeddedFile) -> String {
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()))
}

/// Headers for every answer. The page brings its own content security policy, with the hashes of
/// its scripts.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // A candidate's link is a secret; it is told to nobody.
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn get(path: &str, headers: &[(&str, &str)]) -> Response {
        let request =
            headers.iter().fold(Request::builder().uri(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        serve(request.body(Body::empty()).unwrap()).await
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        if Files::get("index.html").is_none() {
            return; // The page was not built.
        }
        let first = get("/campaigns", &[("accept-encoding", "br")]).await;
        assert_eq!(first.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = get("/campaigns", &[("accept-encoding", "br"), ("if-none-match", &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[header::ETAG], tag.as_str());
        let plain = get("/campaigns", &[("if-none-match", &tag)]).await;
        assert_eq!(plain.status(), StatusCode::OK, "other bytes have another tag");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_no_page() {
        assert_eq!(get("/no-such.js", &[]).await.status(), StatusCode::NOT_FOUND);
    }
}
