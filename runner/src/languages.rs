//! The languages: what compiles and runs them, and what they need on top of a content's limits. A
//! language is offered if its tools are on this machine.

mod detect;
mod table;

use std::path::PathBuf;

use domain::content::Language;
use sha2::{Digest, Sha256};

use crate::frame::Walls;
pub(crate) use detect::detect;
use table::{PROGRAM, TABLE};

/// One row of the table.
struct Row {
    language: Language,
    /// How the language is called, for people; `{}` stands for the tool and its version.
    name: &'static str,
    /// The Debian packages that bring it.
    package: &'static str,
    /// All under `/usr`, which is what runs see. The first is asked for its version.
    tools: &'static str,
    /// What it is asked; with `<` before it, on standard input.
    question: &'static str,
    /// `NAME=value`, besides [`environment`]'s.
    env: &'static str,
    /// Empty for what is not compiled.
    compile: &'static str,
    compile_walls: Walls,
    run: &'static str,
    /// Put before the rest of `run`'s arguments where output is streamed.
    streamed: &'static str,
    /// What a program that does nothing takes.
    allowance: Allowance,
}

/// What is given on top of a content's limits.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    cpu_ms: u32,
    memory_bytes: u64,
    processes: u32,
}

/// What a compiled language's compiler leaves behind.
pub(crate) const ARTEFACT: &str = "main";

/// What lies outside `/usr` and tools cannot do without: settings of Java, Mono, R, Free Pascal
/// and Nim, and the list of Haskell's packages. A name that ends in `*` stands for all that begin
/// with it.
pub(crate) const BESIDE_USR: [&str; 6] =
    ["/etc/java-*", "/etc/mono", "/etc/R", "/etc/fpc*", "/etc/nim", "/var/lib/ghc"];

/// Where precompiled headers are, as runs see it.
pub(crate) const HEADERS: &str = "/headers";

/// A language that this machine has.
#[derive(Clone)]
pub(crate) struct Tool {
    row: &'static Row,
    /// Each tool by its first name, and its real path: wrappers cost time, and links may lead out
    /// of `/usr`.
    paths: Vec<(&'static str, PathBuf)>,
    /// For people: "C (gcc 12.2.0)".
    pub(crate) version: String,
    /// All that tells this tool from another one that would make another program.
    pub(crate) identity: String,
    links_statically: bool,
    /// The first file, where it is not the usual one.
    first: Option<String>,
}

impl Tool {
    /// The command that compiles `files`; `None` for a language that is not compiled.
    pub(crate) fn compile(&self, files: &[String]) -> Option<Vec<String>> {
        (!self.row.compile.is_empty()).then(|| self.fill(self.row.compile, files, 0))
    }

    /// What compiling may use.
    pub(crate) fn compile_walls(&self) -> Walls {
        self.row.compile_walls
    }

    /// The command that runs `files` or what was made of them, with so much memory in bytes.
    pub(crate) fn run(&self, files: &[String], streamed: bool, memory_bytes: u64) -> Vec<String> {
        let mut command = self.fill(self.row.run, files, memory_bytes);
        if streamed {
            let more = self.row.streamed.split_whitespace().map(str::to_owned);
            command.splice(1..1, more);
        }
        command
    }

    /// Whether what the compiler made is itself the program, not a file that `run` reads.
    pub(crate) fn makes_programs(&self) -> bool {
        self.row.run == PROGRAM
    }

    /// The environment of a compiler and of a run: all of it.
    pub(crate) fn environment(&self) -> Vec<String> {
        let own = self.row.env.split_whitespace().map(str::to_owned);
        environment().into_iter().chain(own).collect()
    }

    /// `walls` with what a program of this language needs before it does anything.
    pub(crate) fn allow(&self, walls: Walls) -> Walls {
        let more = self.row.allowance;
        Walls {
            cpu_ms: walls.cpu_ms.saturating_add(more.cpu_ms),
            wall_ms: walls.wall_ms.saturating_add(more.cpu_ms),
            memory_bytes: walls.memory_bytes.saturating_add(more.memory_bytes),
            processes: walls.processes.saturating_add(more.processes),
            ..walls
        }
    }

    /// Whether a program is interpreted by Python, and nothing else is done.
    pub(crate) fn is_python(&self) -> bool {
        self.row.language == Language::Python
    }

    /// That interpreter.
    pub(crate) fn interpreter(&self) -> Option<Interpreter> {
        let (_, path) = self.paths.first().filter(|_| self.is_python())?;
        let version = detect::number(&self.version)?.to_owned();
        Some(Interpreter { path: path.to_str()?.to_owned(), version })
    }

    /// This, for a program whose first file is `name`.
    pub(crate) fn starting_at(&self, name: &str) -> Self {
        Self { first: Some(name.to_owned()), ..self.clone() }
    }

    fn first_file(&self) -> &str {
        self.first.as_deref().unwrap_or_else(|| self.row.language.main_file())
    }

    fn fill(&self, command: &str, files: &[String], memory_bytes: u64) -> Vec<String> {
        let mut filled = Vec::new();
        for word in command.split_whitespace() {
            match word {
                "{static}" => filled.extend(self.links_statically.then(|| "-static".to_owned())),
                "{headers}" => filled.push(format!("-I{HEADERS}/{}", self.headers())),
                "{sources}" => filled.extend(self.sources(files)),
                word => filled.push(self.replaced(word, memory_bytes)),
            }
        }
        if command.contains(['\'', '&']) {
            // Nothing in it is a person's but names of files, which hold nothing that a shell minds.
            return ["/bin/sh".to_owned(), "-c".to_owned(), filled.join(" ")].to_vec();
        }
        filled
    }

    /// Where its precompiled headers are, below [`HEADERS`]: another tool's would not fit.
    pub(crate) fn headers(&self) -> String {
        let of = format!("{}\n{}", self.identity, self.row.compile);
        format!("{:x}", Sha256::digest(of)).chars().take(16).collect()
    }

    /// The file of its precompiled header, and the command that makes it, but for source and place.
    /// The flags are those of [`Self::compile`]: with others the compiler would not take it.
    pub(crate) fn precompile(&self) -> Option<(&'static str, Vec<String>)> {
        let (_, path) = self.paths.first()?;
        let is_gcc = path.file_name()?.to_str()?.contains("g++");
        let (_, flags) = self.row.compile.split_once("{headers}")?;
        let (flags, _) = flags.split_once(" {static}")?;
        let words = flags.split_whitespace().map(str::to_owned);
        let tool = path.to_string_lossy().into_owned();
        let command = [tool, "-x".to_owned(), "c++-header".to_owned()].into_iter().chain(words);
        is_gcc.then(|| ("stdc++.h.gch", command.collect()))
    }

    fn replaced(&self, word: &str, memory_bytes: u64) -> String {
        let main = self.first_file();
        let mib = (memory_bytes >> 20).to_string();
        let word = word.replace("{main}", main).replace("{mib}", &mib);
        self.paths.iter().fold(word, |word, (name, path)| {
            word.replace(&format!("{{{name}}}"), &path.to_string_lossy())
        })
    }

    /// The files with the main file's ending, which comes last: some compilers want to know first
    /// what others use.
    fn sources(&self, files: &[String]) -> Vec<String> {
        let main = self.row.language.main_file();
        let ending = main.trim_start_matches(|c| c != '.');
        let others = files.iter().filter(|name| name.ends_with(ending) && *name != main);
        others.cloned().chain([main.to_owned()]).collect()
    }
}

/// The packages that bring a language to Debian.
pub(crate) fn package(language: Language) -> &'static str {
    TABLE.iter().find(|row| row.language == language).map_or("", |row| row.package)
}

/// Python's interpreter, for those who want more than to start it.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    pub(crate) path: String,
    pub(crate) version: String,
}

impl Interpreter {
    /// The file name of the same as a library, as Debian and most others call it.
    pub(crate) fn library(&self) -> String {
        let mut numbers = self.version.split('.');
        let [major, minor] = [numbers.next(), numbers.next()].map(Option::unwrap_or_default);
        format!("libpython{major}.{minor}.so.1.0")
    }
}

/// The environment of every run.
pub(crate) fn environment() -> Vec<String> {
    ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/box/work", "LANG=C.UTF-8", "TMPDIR=/tmp"]
        .map(str::to_owned)
        .to_vec()
}

#[cfg(test)]
mod tests;
