//! The precompiled header of C++: `<bits/stdc++.h>` costs a second for each compilation, and is the
//! same in all of them. It is made once for each compiler, in the background and at a low
//! priority; until it is there, and where it does not fit, compilers read the header itself.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{process::Command, sync::watch, task::JoinSet};

use crate::languages::Tool;

/// Headers in the making; dropping it stops that.
pub(crate) struct Headers {
    making: JoinSet<()>,
    done: watch::Receiver<bool>,
}

impl Headers {
    /// Starts to make what `tools` can use and the directory `dir` does not have. What it has of
    /// other tools is deleted.
    pub(crate) fn make(dir: &Path, tools: Vec<Tool>) -> Self {
        let (told, done) = watch::channel(false);
        let (mut making, dir) = (JoinSet::new(), dir.to_owned());
        making.spawn(async move {
            for tool in &tools {
                if let Err(why) = make(&dir, tool).await {
                    tracing::warn!(%why, "there is no precompiled header");
                }
            }
            if let Err(why) = delete_others(&dir, &tools) {
                tracing::warn!(%why, "old precompiled headers stay");
            }
            told.send_replace(true);
        });
        Self { making, done }
    }

    /// Waits until all that can be made is there. Answers at once if the making was stopped.
    pub(crate) async fn made(&self) {
        let mut done = self.done.clone();
        if done.wait_for(|done| *done).await.is_err() {
            tracing::debug!(left = self.making.len(), "headers are made no more");
        }
    }
}

async fn make(dir: &Path, tool: &Tool) -> io::Result<()> {
    let Some((to, command)) = tool.precompile() else { return Ok(()) };
    let place = dir.join(tool.headers()).join("bits");
    let header = place.join(to);
    if header.exists() {
        return Ok(());
    }
    fs::create_dir_all(&place)?;
    // Whatever the server's mask: runs are another user's.
    for path in [&place, &dir.join(tool.headers()), &dir.to_owned()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    // Nothing else tells whether a compiler took it: one that does not fit is left aside silently.
    let source = place.join("source.h");
    fs::write(&source, "#include <bits/stdc++.h>\n#define __POLYCODE_PRECOMPILED__ 1\n")?;
    let beside = place.join("unfinished");
    // Not in a sandbox: compiler and header are the machine's own.
    let mut nice = Command::new("nice");
    nice.args(["-n", "5"]).args(command).arg(&source).arg("-o").arg(&beside);
    nice.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    nice.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let ended = nice.status().await?;
    if !ended.success() {
        return Err(io::Error::other(format!("the compiler {ended}")));
    }
    // What a crash cut short must not be taken for a header.
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o644))?;
    fs::File::open(&beside)?.sync_all()?;
    fs::rename(beside, header)
}

fn delete_others(dir: &Path, tools: &[Tool]) -> io::Result<()> {
    let ours: Vec<_> = tools.iter().map(Tool::headers).collect();
    let others = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_none_or(|name| !ours.iter().any(|our| our == name))
    };
    let paths = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    paths.filter(others).try_for_each(fs::remove_dir_all)
}
