//! Others that confine a program, each with the walls that are nearest to ours.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tokio::time::Instant;

/// One way to run the static program that says hello.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// What our wall time divided by its may be at most: must, and better.
    pub(crate) goal: Option<(f64, f64)>,
    program: &'static str,
    arguments: Vec<String>,
}

/// The directory in which the peers find the program, and what else they need.
pub(crate) struct Stage(PathBuf);

impl Stage {
    /// Compiles `text`, and lays it out as a bundle too.
    pub(crate) fn set(text: &str) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("polycode-bench-{}", std::process::id()));
        let root = dir.join("rootfs");
        for below in ["proc", "dev", "tmp"] {
            fs::create_dir_all(root.join(below))?;
        }
        fs::write(dir.join("hello.c"), text)?;
        let mut gcc = Command::new("gcc");
        gcc.args(["-O2", "-static", "-o"]).arg(root.join("hello")).arg(dir.join("hello.c"));
        anyhow::ensure!(gcc.status()?.success(), "gcc failed");
        fs::write(dir.join("config.json"), bundle().to_string())?;
        Ok(Self(dir))
    }

    pub(crate) fn program(&self) -> String {
        self.0.join("rootfs/hello").to_string_lossy().into_owned()
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        let hello = self.program();
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let bundle = self.0.to_string_lossy();
        let bubblewrap = format!(
            "--unshare-all --die-with-parent --new-session --cap-drop ALL --ro-bind /usr /usr \
             --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --ro-bind {hello} \
             /hello /hello"
        );
        let peer = |name, goal, program, arguments: &str| {
            let arguments = words(arguments);
            Peer { name, goal, program, arguments }
        };
        vec![
            peer("bubblewrap", Some((0.6, 0.33)), "bwrap", &bubblewrap),
            peer(
                "nsjail",
                Some((0.45, 0.25)),
                "nsjail",
                &format!("-Q -Mo --user 65534 --chroot {bundle}/rootfs -- /hello"),
            ),
            peer(
                "isolate",
                Some((0.4, 0.2)),
                "isolate",
                &format!("--silent --processes=4 --dir=/h={bundle}/rootfs --run -- /h/hello"),
            ),
            peer("runc", None, "runc", &format!("run --bundle {bundle} ID")),
            peer("crun", None, "crun", &format!("run --bundle {bundle} ID")),
        ]
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%why, "the bench leaves its directory behind");
        }
    }
}

impl Peer {
    /// Runs once. Fails with the reason if it is not here or does not work here.
    pub(crate) fn run(&self, nth: u32) -> anyhow::Result<f64> {
        let id = format!("polycode-bench-{}-{nth}", std::process::id());
        let arguments = self.arguments.iter().map(|word| if word == "ID" { &id } else { word });
        timed(Command::new(self.program).args(arguments))
    }
}

/// Starts the program itself.
pub(crate) fn spawned(program: &str) -> anyhow::Result<f64> {
    timed(&mut Command::new(Path::new(program)))
}

/// From start to the end of its output, in ms.
fn timed(command: &mut Command) -> anyhow::Result<f64> {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let why = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.stdout == b"hello\n", "{}", why.lines().next().unwrap_or("no output"));
    Ok(ms)
}

/// A configuration as `runc spec` makes it, with our program and without a terminal.
fn bundle() -> serde_json::Value {
    let none: [&str; 0] = [];
    let namespaces = ["pid", "network", "ipc", "uts", "mount"];
    serde_json::json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": { "uid": 0, "gid": 0 }, "args": ["/hello"], "cwd": "/",
            "env": ["PATH=/"], "noNewPrivileges": true,
            "capabilities": { "bounding": none, "effective": none, "permitted": none },
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "bench",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "mode=755", "size=64k"] },
            { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"] },
        ],
        "linux": { "namespaces": namespaces.map(|kind| serde_json::json!({ "type": kind })) },
    })
}
