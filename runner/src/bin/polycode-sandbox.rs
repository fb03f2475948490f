//! The sandbox's helper process as an executable of its own, for tests and for servers that do
//! not want to be their own helper.

fn main() -> std::process::ExitCode {
    runner::sandbox_main()
}
