//! `polycode`: the whole product in one program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::main()
}
