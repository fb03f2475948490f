//! Who may do what with `deploy/nats/nats.conf`, over TLS.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    cluster::{CallError, Leases, Subject, Wire},
    ids::SubmissionId,
    ports::Bus,
    rows::Topic,
};
use storage::{
    nats::{
        Credentials, Nats, Options, Tls,
        bus::NatsBus,
        leases::{ClaimError, NatsLeases},
        wire::NatsWire,
    },
    scratch::server::{Program, Server},
};

use crate::{
    buses::{frame, meet, next},
    leases::A,
    nodes::shape,
    wires::{Echo, LONG, word},
};

const CONF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/nats/nats.conf");

/// A server with that configuration, and certificates for it.
struct Guarded {
    server: Server,
    dir: tempfile::TempDir,
}

impl Guarded {
    async fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        certify(dir.path());
        let conf = std::fs::read_to_string(CONF).unwrap();
        let mut conf = conf.replace("/etc/nats", &dir.path().display().to_string());
        // The arguments say where.
        conf = conf.replace(r#"store_dir: "/var/lib/nats""#, "");
        for role in ["gateway", "actors", "runner"] {
            let variable = format!("$NATS_{}_PASSWORD", role.to_uppercase());
            assert!(conf.contains(&variable));
            conf = conf.replace(&variable, &format!("\"of-{role}\""));
        }
        let path = dir.path().join("nats.conf");
        std::fs::write(&path, conf).unwrap();
        let more = ["-c", path.to_str().unwrap()];
        let server = Server::start(Program::Nats, &more).await.unwrap();
        if server.is_none() {
            assert!(std::env::var_os("CI").is_none(), "NATS must be there");
            eprintln!("left out: NATS is not installed");
        }
        Some(Self { server: server?, dir })
    }

    fn options(&self, role: &str, password: &str) -> Options {
        let file = |name: &str| self.dir.path().join(name);
        let client = Some((file("client.pem"), file("client.key")));
        let (user, password) = (role.to_owned(), password.to_owned());
        Options {
            credentials: Some(Credentials { user, password }),
            tls: Some(Tls { ca: file("ca.pem"), client }),
            ..Options::new(&self.server.url(), "polycode".parse().unwrap())
        }
    }

    async fn connect(&self, role: &str) -> Nats {
        Nats::connect(self.options(role, &format!("of-{role}"))).await.unwrap()
    }
}

/// An authority, and two certificates of it.
fn certify(dir: &Path) {
    let openssl = |arguments: &str| {
        let arguments = arguments.split(' ');
        let output = Command::new("openssl").args(arguments).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {new} -keyout ca.key -out ca.pem -subj /CN=authority -days 30"));
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    for name in ["server", "client"] {
        openssl(&format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem \
             -days 30 -extfile names"
        ));
    }
}

#[tokio::test]
async fn each_role_can_do_its_work() {
    let Some(guarded) = Guarded::start().await else { return };
    let (gateway, actors) = (guarded.connect("gateway").await, guarded.connect("actors").await);
    let runner = guarded.connect("runner").await;
    let leases = NatsLeases::claim(&actors, shape("one")).await.unwrap();
    let revision = leases.put(1, A, None).await.unwrap();
    let revision = leases.put(1, A, Some(revision)).await.unwrap();
    assert_eq!(leases.all().await.unwrap()[&1].revision, revision);
    leases.release(1, revision).await.unwrap();
    let [gateway_wire, actors_wire, runner_wire] = [&gateway, &actors, &runner].map(NatsWire::new);
    let command = Subject::Commands(1);
    let _commands = actors_wire.serve(command, Arc::new(Echo("actors:"))).await.unwrap();
    assert_eq!(word(gateway_wire.call(command, "x".into(), LONG).await), "actors:x");
    let _runs = actors_wire.serve(Subject::Runs, Arc::new(Echo("queue:"))).await.unwrap();
    assert_eq!(word(runner_wire.call(Subject::Runs, "x".into(), LONG).await), "queue:x");
    let run = Subject::Run(SubmissionId::from_u128(1));
    let _run = runner_wire.serve(run, Arc::new(Echo("runner:"))).await.unwrap();
    assert_eq!(word(gateway_wire.call(run, "x".into(), LONG).await), "runner:x");
    let mut hints = runner_wire.hear(Subject::Runs).await.unwrap();
    actors_wire.tell(Subject::Runs, "hint".into());
    assert_eq!(hints.next().await.unwrap(), "hint");
    let (to, from): (Arc<dyn Bus>, Arc<dyn Bus>) =
        (Arc::new(NatsBus::new(&gateway)), Arc::new(NatsBus::new(&runner)));
    let output = Topic::Output(SubmissionId::from_u128(1));
    meet(&from, &mut to.subscribe(output), output).await;
}

/// Waits until the server has seen whatever `nats` asked of it before.
async fn seen(nats: &Nats) {
    let wire = NatsWire::new(nats);
    assert_eq!(word(wire.call(Subject::Runs, Bytes::new(), LONG).await), "nobody");
}

#[tokio::test]
async fn a_runner_can_do_nothing_else() {
    let Some(guarded) = Guarded::start().await else { return };
    let (actors, runner) = (guarded.connect("actors").await, guarded.connect("runner").await);
    let _leases = NatsLeases::claim(&actors, shape("one")).await.unwrap();
    let wire = NatsWire::new(&actors);
    let _commands = wire.serve(Subject::Commands(1), Arc::new(Echo("actors:"))).await.unwrap();
    let mine = NatsWire::new(&runner);
    let short = Duration::from_millis(300);
    let command = mine.call(Subject::Commands(1), Bytes::new(), short).await;
    assert!(matches!(command, Err(CallError::TimedOut)), "{command:?}");
    assert!(matches!(
        NatsLeases::claim(&runner, shape("one")).await,
        Err(ClaimError::Unavailable(_))
    ));
    // Frames that are not of a run reach nobody; those of a run do.
    let (to, from): (Arc<dyn Bus>, Arc<dyn Bus>) =
        (Arc::new(NatsBus::new(&actors)), Arc::new(NatsBus::new(&runner)));
    let output = Topic::Output(SubmissionId::from_u128(1));
    let (mut forged, mut fine) = (to.subscribe(Topic::Campaigns), to.subscribe(output));
    meet(&from, &mut fine, output).await;
    from.publish(frame(Topic::Campaigns, 1));
    from.publish(frame(output, 2));
    assert_eq!(next(&mut fine).await, Some(2));
    assert!(tokio::time::timeout(short, next(&mut forged)).await.is_err());
    // It hears nothing either.
    let mut spied = Arc::clone(&from).subscribe(Topic::Campaigns);
    seen(&runner).await;
    to.publish(frame(Topic::Campaigns, 3));
    assert!(tokio::time::timeout(short, next(&mut spied)).await.is_err());
}

#[tokio::test]
async fn a_gateway_holds_no_lease_and_serves_no_commands() {
    let Some(guarded) = Guarded::start().await else { return };
    let (actors, gateway) = (guarded.connect("actors").await, guarded.connect("gateway").await);
    let leases = NatsLeases::claim(&actors, shape("one")).await.unwrap();
    assert!(matches!(
        NatsLeases::claim(&gateway, shape("one")).await,
        Err(ClaimError::Unavailable(_))
    ));
    assert_eq!(leases.all().await.unwrap().len(), 0);
    let (wire, theirs) = (NatsWire::new(&actors), NatsWire::new(&gateway));
    let _serving = theirs.serve(Subject::Commands(1), Arc::new(Echo("forged:"))).await;
    let command = wire.call(Subject::Commands(1), Bytes::new(), LONG).await;
    assert!(matches!(command, Err(CallError::NobodyServes)), "{command:?}");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_line() {
    let Some(guarded) = Guarded::start().await else { return };
    let words = async |options: Options| {
        let words = Nats::connect(options).await.err().expect("it is refused").to_string();
        assert!(!words.contains('\n') && words.starts_with("NATS at 127.0.0.1:"), "{words}");
        assert!(!words.contains("wrong-one"), "{words}");
        words
    };
    let wrong = words(guarded.options("gateway", "wrong-one")).await;
    assert!(wrong.ends_with("the server does not let user \"gateway\" in"), "{wrong}");
    let anonymous = words(Options { credentials: None, ..guarded.options("gateway", "x") }).await;
    assert!(anonymous.ends_with("the server wants credentials"), "{anonymous}");
    let distrusting = words(Options { tls: None, ..guarded.options("gateway", "x") }).await;
    assert!(distrusting.contains("no encrypted connection: "), "{distrusting}");
    let tls = Some(Tls { ca: guarded.dir.path().join("ca.pem"), client: None });
    let uncertified = words(Options { tls, ..guarded.options("gateway", "of-gateway") }).await;
    assert!(uncertified.contains("no encrypted connection: "), "{uncertified}");
    let tls = Some(Tls { ca: guarded.dir.path().join("none.pem"), client: None });
    let missing = words(Options { tls, ..guarded.options("gateway", "x") }).await;
    assert!(missing.contains("no encrypted connection: "), "{missing}");
}
