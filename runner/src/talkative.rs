//! Programs that say at once what they print. The C library keeps back what goes into a pipe, so
//! that a prompt would be seen only after its answer; with coreutils' `libstdbuf.so` it does as on
//! a terminal: prints each line, and what is before a question (`info libc 'Stream Buffering'`).

use std::path::Path;

/// The option of the compiler whose programs cannot be made to.
pub(crate) const STATIC: &str = "-static";

const LIBRARIES: [&str; 3] = [
    "/usr/libexec/coreutils/libstdbuf.so",
    "/usr/lib/coreutils/libstdbuf.so",
    "/usr/lib64/coreutils/libstdbuf.so",
];

/// `environment`, with what makes programs talkative where this machine has it.
pub(crate) fn talkative(mut environment: Vec<String>) -> Vec<String> {
    let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
    if let Some(library) = library {
        // An input by lines is what makes the library print what is before a question.
        environment.extend(["_STDBUF_I=L", "_STDBUF_O=L"].map(str::to_owned));
        environment.push(format!("LD_PRELOAD={library}"));
    }
    environment
}
