//! Serving: everything is put together here, and taken apart in order.

use std::{path::Path, sync::Arc};

use actors::{deps::Deps, node::Node};
use anyhow::Context;
use axum::{Router, middleware, routing::get, serve::ListenerExt};
use domain::{
    content::Language,
    ports::{Clock, Sandbox},
};
use runner::{FakeSandbox, NamespaceSandbox};
#[cfg(debug_assertions)]
use storage::sqlite::Sync;
use storage::{
    SystemClock,
    bus::LocalBus,
    local::{LocalLeases, LocalWire},
    sqlite::Options,
};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    api,
    app::{App, Connected, Revoked, Shared},
    caller, config, demo,
    hub::Hub,
    limits::Limits,
    setup::Setup,
    socket,
    store::Store,
    tasks::Tasks,
    web,
};

/// How long a server that was told to stop waits for runs; what takes longer is run again by the
/// next one.
pub(crate) const RUNS_FINISH: std::time::Duration = std::time::Duration::from_secs(10);

/// Serves until it is told to stop.
pub(crate) async fn run(
    data: &Path,
    database: Option<&str>,
    config: config::Serve,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let url = config.url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    let (app, store) = start(data, database, &config, url.clone()).await?;
    if config.demo {
        demo::add(&app).await?;
    }
    tracing::info!("Polycode is at {url}");
    offer_setup(&app).await?;
    listen(listener, &app).await?;
    app.node.finish_runs(RUNS_FINISH).await;
    store.close().await;
    Ok(())
}

/// Serves on ports that somebody else made, until it is told to stop; runs nothing.
pub async fn serve_on(deps: Deps, listener: TcpListener) -> anyhow::Result<()> {
    let url = format!("http://{}", listener.local_addr()?);
    let app = Arc::new(app(deps, vec![], url, 0).await?);
    listen(listener, &app).await
}

/// Answers connections until it is told to stop, and says goodbye to all of them.
async fn listen(listener: TcpListener, app: &Shared) -> anyhow::Result<()> {
    // Frames are small and each counts: none waits for the acknowledgement of the one before.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is slower than it could be");
        }
    });
    let router = router(Arc::clone(app));
    axum::serve(listener, router).with_graceful_shutdown(told_to_stop()).await?;
    tracing::info!("stopping: everybody is told, and runs that go on are awaited");
    app.stopping.send_replace(true);
    tokio::time::timeout(GOODBYES, app.stopping.closed()).await.ok();
    Ok(())
}

/// How long a server that was told to stop waits until everybody knows.
const GOODBYES: std::time::Duration = std::time::Duration::from_secs(2);

async fn start(
    data: &Path,
    database: Option<&str>,
    config: &config::Serve,
    url: String,
) -> anyhow::Result<(Shared, Store)> {
    // First, as nothing is to be touched where the walls are not those that were asked for.
    let found = walls(&config.runs).await?;
    let store = Store::open(data, database, options(config)).await?;
    let (sandbox, languages) = sandbox(found, data, &config.runs)?;
    let deps = Deps {
        store: Arc::clone(&store.events),
        shards: Arc::clone(&store.shards),
        blobs: Arc::clone(&store.blobs),
        people: Arc::clone(&store.people),
        bus: Arc::new(LocalBus::default()),
        clock: Arc::new(SystemClock),
        sandbox,
        heads: Arc::default(),
        wire: Arc::new(LocalWire::default()),
        leases: Arc::new(LocalLeases::default()),
    };
    let app = app(deps, languages, url, workers(&config.runs)).await?;
    Ok((Arc::new(app), store))
}

async fn app(deps: Deps, languages: Languages, url: String, workers: usize) -> anyhow::Result<App> {
    let node = Node::start(deps, actors::node::Options::alone(&url, workers)).await?;
    let tasks = Tasks::default();
    Ok(App {
        node,
        languages,
        setup: Setup::default(),
        limits: Limits::default(),
        url,
        connected: Connected::default(),
        stopping: watch::Sender::new(false),
        hub: Hub::new(tasks.clone()),
        tasks,
        revoked: Revoked::default(),
    })
}

#[cfg(debug_assertions)]
fn options(config: &config::Serve) -> Options {
    let sync = if config.unsynced { Sync::UnsafeOff } else { Sync::Full };
    Options { sync, ..Options::default() }
}

#[cfg(not(debug_assertions))]
fn options(_: &config::Serve) -> Options {
    Options::default()
}

/// As many as there are cores, unless somebody says otherwise.
pub(crate) fn workers(config: &config::Runs) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    config.workers.unwrap_or(cores)
}

type Languages = Vec<(Language, String)>;

/// The walls of this machine; `None` where nothing is run.
pub(crate) async fn walls(config: &config::Runs) -> anyhow::Result<Option<NamespaceSandbox>> {
    if config.fake_runs {
        return Ok(None);
    }
    let sandbox = NamespaceSandbox::new(runner::Config {
        require_cgroup: config.isolation == config::Isolation::RequireCgroup,
        python_fork_server: config.python_fork_server == config::Switch::On,
        ..runner::Config::default()
    })
    .await?;
    for (name, stands, what) in sandbox.walls() {
        if name == runner::FORK_SERVER && !stands {
            tracing::warn!("no fork server: {what}");
        }
    }
    tracing::info!(isolation = sandbox.isolation(), "code runs behind these walls");
    Ok(Some(sandbox))
}

pub(crate) fn sandbox(
    found: Option<NamespaceSandbox>,
    data: &Path,
    config: &config::Runs,
) -> anyhow::Result<(Arc<dyn Sandbox>, Languages)> {
    let Some(mut sandbox) = found else {
        let languages = Language::ALL.map(|language| (language, "fake".to_owned()));
        return Ok((Arc::new(FakeSandbox::new()), languages.to_vec()));
    };
    if config.cache_mib > 0 {
        sandbox = sandbox.keeping(&data.join("cache"), config.cache_mib << 20)?;
    }
    let languages = sandbox.languages();
    Ok((Arc::new(sandbox), languages))
}

fn router(app: Shared) -> Router {
    Router::new()
        .nest("/api/v1", api::routes())
        .route("/ws", get(socket::upgrade::open))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), caller::same_origin))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(web::serve)
        .layer(middleware::from_fn(web::secure))
        .with_state(app)
}

/// While there is no administrator: the link that makes one, on the terminal only.
#[expect(clippy::print_stdout, reason = "the one thing that is for the terminal, not for the log")]
async fn offer_setup(app: &App) -> anyhow::Result<()> {
    if app.node.deps.people.administrators().await? == 0 {
        let token = app.setup.offer(SystemClock.now());
        println!("Make yourself the first administrator, within 30 minutes:");
        println!("{}/set-up?token={token}", app.url);
    }
    Ok(())
}

pub(crate) async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Reads a package, a directory or a zip.
pub(crate) fn read(package: &Path) -> anyhow::Result<package::Imported> {
    if package.is_dir() {
        return Ok(package::read_directory(package)?);
    }
    let zip = std::fs::File::open(package)
        .with_context(|| format!("{} cannot be opened", package.display()))?;
    Ok(package::read_zip(zip)?)
}

/// Imports a package into the data of a server that is not running.
#[expect(clippy::print_stdout, reason = "this command's answer")]
pub(crate) async fn import(
    data: &Path,
    database: Option<&str>,
    package: &Path,
    owner: &str,
) -> anyhow::Result<()> {
    let imported = read(package)?;
    let config = config::Serve {
        listen: ([127, 0, 0, 1], 0).into(),
        url: None,
        runs: config::Runs {
            workers: Some(0),
            cache_mib: 0,
            fake_runs: true,
            python_fork_server: config::Switch::Off,
            isolation: config::Isolation::BestEffort,
        },
        demo: false,
        #[cfg(debug_assertions)]
        unsynced: false,
    };
    let (app, store) = start(data, database, &config, "import".to_owned()).await?;
    let owner = store.people.person_by_email(owner).await?;
    let owner = owner.context("nobody has an account with this address")?;
    let report = api::files::keep(&app, owner.id, imported).await;
    let report = report.map_err(|refusal| anyhow::anyhow!("{}", refusal.why().text))?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    drop(app);
    store.close().await;
    Ok(())
}
