//! Serving: everything is put together here, and taken apart in order.

use std::{path::Path, sync::Arc};

use actors::{
    deps::Deps,
    node::{Node, Options},
    placement::Role,
};
use anyhow::Context;
use axum::{Router, middleware, routing::get};
use domain::{
    content::Language,
    ports::{Clock, Sandbox},
};
use runner::{FakeSandbox, NamespaceSandbox};
#[cfg(debug_assertions)]
use storage::sqlite::Sync;
use storage::{SystemClock, cached::CachedPeople, sqlite};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
};

use crate::{
    api,
    app::{App, Shared},
    caller,
    cluster::{self, Links},
    config, demo,
    hub::Hub,
    limits::Limits,
    live::{self, Live},
    metrics::{self, Metrics},
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
    let socket = bind(config.listen)?;
    let url = config.url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    let (app, store) = start(data, database, &config, url.clone()).await?;
    if config.demo {
        demo::add(&app).await?;
    }
    metrics::start(&app, config.metrics).await?;
    tracing::info!("Polycode is at {url}");
    offer_setup(&app, !config.cluster.nats.is_empty()).await?;
    let is_gateway = config.roles.contains(&config::Role::Gateway);
    let router = if is_gateway { router } else { bare_router };
    listen(socket.listen(BACKLOG)?, &app, router(Arc::clone(&app))).await?;
    app.node.finish_runs(RUNS_FINISH).await;
    store.close().await;
    Ok(())
}

/// How many connections wait to be taken.
const BACKLOG: u32 = 4_096;

/// Takes the address, so that whoever has it already is found out first, and lets nobody in yet: who
/// comes before everything is there is refused at once, and goes to another node.
fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).with_context(|| format!("cannot listen on {address}"))?;
    Ok(socket)
}

/// Serves on ports that somebody else made, until it is told to stop; runs nothing.
pub async fn serve_on(deps: Deps, listener: TcpListener) -> anyhow::Result<()> {
    let url = format!("http://{}", listener.local_addr()?);
    let node = Node::start(deps, Options::alone(&url, 0)).await?;
    let app = Arc::new(app(node, vec![], url));
    listen(listener, &app, router(Arc::clone(&app))).await
}

/// Answers connections until it is told to stop, and says goodbye to all of them.
async fn listen(listener: TcpListener, app: &Shared, router: Router) -> anyhow::Result<()> {
    app.tasks.spawn(live::go_on(Arc::downgrade(app)));
    crate::listen::serve(listener, router, told_to_stop()).await;
    tracing::info!("stopping: shards are handed over, everybody is told, runs are awaited");
    app.node.leave(HAND_OVER).await;
    app.stopping.send_replace(true);
    tokio::time::timeout(GOODBYES, app.stopping.closed()).await.ok();
    Ok(())
}

/// How long a node that was told to stop has to hand over its shards.
const HAND_OVER: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a node listens for others before it takes shards that are free.
const LISTEN: std::time::Duration = std::time::Duration::from_millis(1_500);
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
    let (store, links) = outside(data, database, config).await?;
    let cache = cluster::cache(&config.cluster)?;
    let (sandbox, languages) = sandbox(found, data, &config.runs)?;
    let people = Arc::clone(&store.people);
    let people = match &cache {
        Some(cache) => Arc::new(CachedPeople::new(people, Arc::clone(cache))),
        None => people,
    };
    let deps = Deps {
        store: Arc::clone(&store.events),
        shards: Arc::clone(&store.shards),
        blobs: Arc::clone(&store.blobs),
        people,
        bus: links.bus,
        clock: Arc::new(SystemClock),
        sandbox,
        heads: Arc::default(),
        wire: links.wire,
        leases: links.leases,
    };
    let node = Node::start(deps, node(config)).await?;
    let app = App { cache, ..app(node, languages, url) };
    Ok((Arc::new(app), store))
}

/// The store, and what connects this program with others.
async fn outside(
    data: &Path,
    database: Option<&str>,
    config: &config::Serve,
) -> anyhow::Result<(Store, Links)> {
    let Some(nats) = cluster::connect(&config.cluster).await? else {
        if !config.roles.contains(&config::Role::Actors) {
            let needs = "without the role `actors` others have to own the streams: give --nats";
            return Err(cluster::wrong(needs.to_owned()));
        }
        return Ok((Store::open(data, database, options(config)).await?, Links::alone()));
    };
    let needs = "a node of a cluster (--nats) keeps everything in PostgreSQL: give --database";
    let database = database.ok_or_else(|| cluster::wrong(needs.to_owned()))?;
    let (store, identity) = Store::open_shared(database).await?;
    let links = Links::of(&nats, identity, config.cluster.lease_replicas).await?;
    Ok((store, links))
}

fn node(config: &config::Serve) -> Options {
    let is_alone = config.cluster.nats.is_empty();
    let name = config.cluster.node.clone().unwrap_or_else(|| config.listen.to_string());
    let runs = config.roles.contains(&config::Role::Runner);
    let workers = if runs { workers(&config.runs) } else { 0 };
    let role = |role: &config::Role| match role {
        config::Role::Gateway => Role::Gateway,
        config::Role::Actors => Role::Actors,
        config::Role::Runner => Role::Runner,
    };
    let roles = config.roles.iter().map(role).collect();
    let listens = if is_alone { std::time::Duration::ZERO } else { LISTEN };
    Options { roles, listens, is_alone, ..Options::alone(&name, workers) }
}

fn app(node: Node, languages: Languages, url: String) -> App {
    let tasks = Tasks::default();
    App {
        node,
        languages,
        setup: Setup::default(),
        limits: Limits::default(),
        cache: None,
        url,
        live: Live::new(),
        stopping: watch::Sender::new(false),
        hub: Hub::new(tasks.clone()),
        tasks,
        metrics: Metrics::new(),
    }
}

#[cfg(debug_assertions)]
fn options(config: &config::Serve) -> sqlite::Options {
    let sync = if config.unsynced { Sync::UnsafeOff } else { Sync::Full };
    sqlite::Options { sync, ..sqlite::Options::default() }
}

#[cfg(not(debug_assertions))]
fn options(_: &config::Serve) -> sqlite::Options {
    sqlite::Options::default()
}

/// As many as there are cores, unless somebody says otherwise.
pub(crate) fn workers(config: &config::Runs) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    config.workers.unwrap_or(cores)
}

type Languages = Vec<(Language, String)>;

/// The walls of this machine; `None` where nothing is run.
pub(crate) async fn walls(config: &config::Runs) -> anyhow::Result<Option<NamespaceSandbox>> {
    if config.fake {
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
        .route("/readyz", get(metrics::ready))
        .fallback(web::serve)
        .layer(middleware::from_fn(web::secure))
        .with_state(app)
}

/// Of a node without the role `gateway`: how it is, and nothing else.
fn bare_router(app: Shared) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(metrics::ready))
        .with_state(app)
}

/// While there is no administrator: the link that makes one, on the terminal only. The load balancer
/// of a cluster may take it to another node, which does not know it.
#[expect(clippy::print_stdout, reason = "the one thing that is for the terminal, not for the log")]
async fn offer_setup(app: &App, has_others: bool) -> anyhow::Result<()> {
    if app.node.deps.people.administrators().await? > 0 {
        return Ok(());
    }
    if has_others {
        println!("There is no administrator yet: make one by `polycode admin create`.");
    } else {
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
        roles: vec![config::Role::Actors],
        cluster: config::Cluster::default(),
        listen: ([127, 0, 0, 1], 0).into(),
        url: None,
        metrics: None,
        runs: config::Runs {
            workers: Some(0),
            cache_mib: 0,
            fake: true,
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
