//! REST under `/api/v1`, as `docs/api.md` has it.

pub(crate) mod account;
pub(crate) mod campaigns;
pub(crate) mod candidates;
pub(crate) mod documents;
pub(crate) mod files;
pub(crate) mod links;
mod openapi;
pub(crate) mod people;
pub(crate) mod receipt;
pub(crate) mod results;
pub(crate) mod sit;
pub(crate) mod status;
pub(crate) mod tries;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post, put},
};

use crate::app::Shared;

/// How large a body of JSON is at most.
const JSON_MAX: usize = 4 << 20;
/// How large an uploaded file or package is at most.
const UPLOAD_MAX: usize = 64 << 20;

/// All routes, without the prefix.
pub(crate) fn routes() -> Router<Shared> {
    let uploads = Router::new()
        .route("/contents/import", post(files::import))
        .route("/blobs", post(files::put_blob))
        .layer(DefaultBodyLimit::max(UPLOAD_MAX));
    Router::new()
        .merge(accounts())
        .merge(documents())
        .merge(campaigns())
        .merge(candidates())
        .route("/status", get(status::read))
        .route("/openapi.json", get(openapi::document))
        .layer(DefaultBodyLimit::max(JSON_MAX))
        .merge(uploads)
        .fallback(|| async { crate::error::Refusal::not_found() })
        .layer(axum::middleware::map_response(crate::error::in_words))
}

fn accounts() -> Router<Shared> {
    Router::new()
        .route("/setup", get(account::setup_needed).post(account::set_up))
        .route("/sign-in", post(account::sign_in))
        .route("/sign-out", post(account::sign_out))
        .route("/me", get(account::me))
        .route("/accounts", get(people::list).post(people::add))
        .route("/accounts/{id}/link", post(people::renew))
        .route("/accounts/{id}/disable", post(people::disable))
        .route("/accounts/{id}/enable", post(people::enable))
        .route("/accounts/{id}/welcome", post(people::look).put(people::choose))
}

fn documents() -> Router<Shared> {
    use domain::{content::Content, plan::Test};
    Router::new()
        .route("/languages", get(tries::languages))
        .route("/contents", get(documents::list::<Content>).post(documents::create::<Content>))
        .route("/contents/try", post(tries::run))
        .route("/contents/{id}", get(documents::read::<Content>).put(documents::save::<Content>))
        .route("/contents/{id}/package.zip", get(files::export))
        .route("/contents/{id}/archive", post(documents::archive::<Content>))
        .route("/contents/{id}/restore", post(documents::restore::<Content>))
        .route("/blobs/{sha256}", get(files::get_blob))
        .route("/tests", get(documents::list::<Test>).post(documents::create::<Test>))
        .route("/tests/{id}", get(documents::read::<Test>).put(documents::save::<Test>))
        .route("/tests/{id}/archive", post(documents::archive::<Test>))
        .route("/tests/{id}/restore", post(documents::restore::<Test>))
        .route("/tests/{id}/preview", post(sit::preview))
}

fn campaigns() -> Router<Shared> {
    Router::new()
        .route("/campaigns", get(campaigns::list).post(campaigns::create))
        .route("/campaigns/{id}", get(campaigns::read).put(campaigns::configure))
        .route("/campaigns/{id}/test", put(campaigns::pin))
        .route("/campaigns/{id}/announce", post(campaigns::announce))
        .route("/campaigns/{id}/time", post(campaigns::give_time))
        .route("/campaigns/{id}/archive", post(campaigns::archive))
        .route("/campaigns/{id}/restore", post(campaigns::restore))
        .route("/campaigns/{id}/pause", post(campaigns::pause))
        .route("/campaigns/{id}/resume", post(campaigns::resume))
        .route("/campaigns/{id}/wall", post(links::new_wall).delete(links::end_wall))
        .route("/campaigns/{id}/results.csv", get(results::csv))
        .route("/campaigns/{id}/candidates", post(candidates::add))
        .route(
            "/campaigns/{id}/candidates/{session}",
            get(candidates::read).put(candidates::save).delete(candidates::remove),
        )
        .route("/campaigns/{id}/candidates/{session}/sent", post(candidates::sent))
        .route("/campaigns/{id}/candidates/{session}/invite", post(candidates::invite_again))
        .route(
            "/campaigns/{id}/candidates/{session}/link",
            post(links::renew).delete(links::revoke),
        )
        .route(
            "/campaigns/{id}/candidates/{session}/late/{late}/accept",
            post(candidates::accept_late),
        )
}

fn candidates() -> Router<Shared> {
    Router::new()
        .route("/links/{code}", get(links::read))
        .route("/links/{code}/open", post(links::open))
        .route("/walls/{code}", get(links::wall))
        .route("/sit/{session}/questions/{n}", get(sit::question))
        .route("/sit/{session}/files", get(sit::files))
        .route("/sit/{session}/check", post(tries::check))
        .route("/sit/{session}/practice", get(tries::practice))
        .route("/sit/{session}/practice/run", post(tries::practice_run))
        .route("/sit/{session}/receipt", get(receipt::read))
}
