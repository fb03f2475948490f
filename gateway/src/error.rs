//! Refusals over HTTP: a status, a stable word, a sentence.

use axum::{
    Json,
    body::{HttpBody, to_bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    aggregate::Refuses,
    frame::Why,
    people::LinkRefusal,
    ports::{PeopleError, Unavailable},
};

/// Why a request was refused. A failure of ours is one too, to the one who asked.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    why: Why,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &str, text: &str) -> Self {
        Self { status, why: Why::new(code, text) }
    }

    pub(crate) fn not_signed_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first")
    }

    /// Also for what is not theirs to know of.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here, or it is not yours")
    }

    pub(crate) fn invalid(code: &str, text: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, text)
    }

    pub(crate) fn slow_down() -> Self {
        let mut refusal = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "slow_down",
            "that was too often; wait a minute",
        );
        refusal.why.retry_after_ms = Some(60_000);
        refusal
    }

    pub(crate) fn why(&self) -> &Why {
        &self.why
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.why)).into_response()
    }
}

/// How long a sentence of the framework is at most, in bytes.
const SENTENCE_MAX: usize = 4 * 1024;

/// Gives what the framework refused (a body that is too long, or no JSON) the form of all refusals.
pub(crate) async fn in_words(response: Response) -> Response {
    let status = response.status();
    let is_plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() && is_plain) {
        return response;
    }
    let is_short =
        response.body().size_hint().upper().is_some_and(|size| size <= SENTENCE_MAX as u64);
    let text =
        if is_short { to_bytes(response.into_body(), SENTENCE_MAX).await } else { Ok("".into()) };
    let text = text.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "too_long",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "not_json",
        StatusCode::METHOD_NOT_ALLOWED => "no_such_method",
        _ => "bad_request",
    };
    let text = if text.is_empty() { "this request is not understood" } else { &text };
    Refusal::new(status, code, text).into_response()
}

impl From<Why> for Refusal {
    fn from(why: Why) -> Self {
        let status = match why.code.as_str() {
            _ if why.retry_after_ms.is_some() => StatusCode::SERVICE_UNAVAILABLE,
            "changed_elsewhere" | "already_created" | "already_added" => StatusCode::CONFLICT,
            "gone" => StatusCode::GONE,
            code if code.starts_with("no_such") || code == "not_found" => StatusCode::NOT_FOUND,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self { status, why }
    }
}

impl From<LinkRefusal> for Refusal {
    fn from(refusal: LinkRefusal) -> Self {
        Why::new(refusal.code(), &refusal.to_string()).into()
    }
}

impl From<Unavailable> for Refusal {
    fn from(unavailable: Unavailable) -> Self {
        tracing::warn!(error = %unavailable, "a request found the store away");
        if unavailable.is_disk_full() {
            return Why::disk_full().into();
        }
        let text = "this cannot be read or saved just now; try again in a moment";
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            why: Why::later("unavailable", text, 1_000),
        }
    }
}

impl From<PeopleError> for Refusal {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::EmailTaken => Self::new(
                StatusCode::CONFLICT,
                "email_taken",
                "this email address is in use already",
            ),
            PeopleError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
