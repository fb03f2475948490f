//! A helper that lacks the walls in its own file's name: `without-seccomp-network`. Tests link it
//! under such names, to see that what they look for can be found.

fn main() -> std::process::ExitCode {
    runner::sandbox_main_without()
}
