//! The languages, as one table: what compiles and runs them, and what they need on top of a
//! content's limits. A language is offered if its tool is on this machine.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use domain::content::Language;

use crate::frame::Walls;

/// One row of the table.
struct Row {
    language: Language,
    /// How the language is called, for people.
    name: &'static str,
    /// Where its tool may be. All under `/usr`, which is what runs see.
    tools: &'static [&'static str],
    /// `{tool}`, `{main}` stand for the tool's real path and the first file, `{sources}` for all
    /// files of this ending.
    compile: Option<&'static [&'static str]>,
    sources: &'static str,
    run: &'static [&'static str],
    /// Put before the rest of `run`'s arguments where output is streamed.
    when_streamed: &'static [&'static str],
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

const NATIVE: Allowance = Allowance { cpu_ms: 0, memory_bytes: 4 << 20, processes: 0 };

const TABLE: [Row; 4] = [
    Row {
        language: Language::Python,
        name: "Python",
        tools: &["/usr/bin/python3", "/usr/local/bin/python3"],
        compile: None,
        sources: ".py",
        // Not `-I`: an answer may consist of several modules.
        run: &["{tool}", "-E", "-s", "-B", "{main}"],
        // Python knows no line buffering for what is no terminal.
        when_streamed: &["-u"],
        allowance: Allowance { cpu_ms: 50, memory_bytes: 16 << 20, processes: 0 },
    },
    Row {
        language: Language::C,
        name: "C",
        tools: &["/usr/bin/gcc", "/usr/local/bin/gcc", "/usr/bin/clang"],
        compile: Some(&[
            "{tool}",
            "-std=gnu17",
            "-O2",
            "-Wall",
            "-pipe",
            "{static}",
            "-o",
            "main",
            "{sources}",
            "-lm",
            "-pthread",
        ]),
        sources: ".c",
        run: &["/box/work/main"],
        when_streamed: &[],
        allowance: NATIVE,
    },
    Row {
        language: Language::Cpp,
        name: "C++",
        tools: &["/usr/bin/g++", "/usr/local/bin/g++", "/usr/bin/clang++"],
        compile: Some(&[
            "{tool}",
            "-std=gnu++20",
            "-O2",
            "-Wall",
            "-pipe",
            "-o",
            "main",
            "{sources}",
            "-lm",
            "-pthread",
        ]),
        sources: ".cpp",
        run: &["/box/work/main"],
        when_streamed: &[],
        allowance: NATIVE,
    },
    Row {
        language: Language::Javascript,
        name: "JavaScript (Node.js)",
        tools: &["/usr/bin/node", "/usr/local/bin/node", "/usr/bin/nodejs"],
        compile: None,
        sources: ".js",
        run: &["{tool}", "--stack-size=50000", "{main}"],
        when_streamed: &[],
        allowance: Allowance { cpu_ms: 200, memory_bytes: 96 << 20, processes: 24 },
    },
];

/// What compiling may use; not the content's to choose.
pub(crate) const COMPILE_WALLS: Walls = Walls {
    cpu_ms: 10_000,
    wall_ms: 20_000,
    memory_bytes: 1 << 30,
    processes: 32,
    output_bytes: 256 << 10,
    disk_bytes: 64 << 20,
};

/// What a compiled language's compiler leaves behind.
pub(crate) const ARTEFACT: &str = "main";

/// A language that this machine has.
#[derive(Clone)]
pub(crate) struct Tool {
    row: &'static Row,
    path: PathBuf,
    /// For people: "C (gcc 12.2.0)".
    pub(crate) version: String,
    links_statically: bool,
    /// The first file, where it is not the usual one.
    first: Option<String>,
}

/// Looks for all languages. A tool counts when it answers with a version.
pub(crate) fn detect() -> Vec<(Language, Tool)> {
    TABLE.iter().filter_map(|row| Some((row.language, find(row)?))).collect()
}

fn find(row: &'static Row) -> Option<Tool> {
    row.tools.iter().find_map(|tool| {
        // Its real path: wrappers cost time, and links may lead out of `/usr`.
        let path = Path::new(tool).canonicalize().ok().filter(|path| path.starts_with("/usr"))?;
        let said = ask(&path, "--version")?;
        let line = said.lines().next()?.trim();
        let number = line.split_whitespace().rfind(|word| word.contains('.')).unwrap_or(line);
        let number = number.trim_start_matches('v');
        let file = tool.rsplit('/').next().unwrap_or(tool);
        let version = match row.language {
            Language::C | Language::Cpp => format!("{} ({file} {number})", row.name),
            Language::Python | Language::Javascript => format!("{} {number}", row.name),
        };
        // Static programs start in half the time; not every machine has the library for it.
        let libc = ask(&path, "-print-file-name=libc.a").unwrap_or_default();
        let links_statically = row.language == Language::C && Path::new(libc.trim()).is_absolute();
        Some(Tool { row, path, version, links_statically, first: None })
    })
}

fn ask(tool: &Path, question: &str) -> Option<String> {
    let mut command = Command::new(tool);
    command.arg(question).env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    let answer = command.output().ok().filter(|answer| answer.status.success())?;
    String::from_utf8(answer.stdout).ok()
}

impl Tool {
    /// The command that compiles `files`; `None` for a language that is not compiled.
    pub(crate) fn compile(&self, files: &[String]) -> Option<Vec<String>> {
        Some(self.fill(self.row.compile?, files))
    }

    /// The command that runs `files` or what was made of them.
    pub(crate) fn run(&self, files: &[String], streamed: bool) -> Vec<String> {
        let mut command = self.fill(self.row.run, files);
        if streamed {
            let more = self.row.when_streamed.iter().map(|&word| word.to_owned());
            command.splice(1..1, more);
        }
        command
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

    /// This, for a program whose first file is `name`.
    pub(crate) fn starting_at(&self, name: &str) -> Self {
        Self { first: Some(name.to_owned()), ..self.clone() }
    }

    fn first_file(&self) -> &str {
        self.first.as_deref().unwrap_or_else(|| self.row.language.main_file())
    }

    fn fill(&self, words: &[&str], files: &[String]) -> Vec<String> {
        let mut filled = Vec::new();
        for &word in words {
            match word {
                "{tool}" => filled.push(self.path.to_string_lossy().into_owned()),
                "{main}" => filled.push(self.first_file().to_owned()),
                "{static}" => filled.extend(self.links_statically.then(|| "-static".to_owned())),
                "{sources}" => {
                    let is_source = |name: &&String| name.ends_with(self.row.sources);
                    filled.extend(files.iter().filter(is_source).cloned());
                }
                word => filled.push(word.to_owned()),
            }
        }
        filled
    }
}

/// The environment of a run: all of it.
pub(crate) fn environment() -> Vec<String> {
    ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/box/work", "LANG=C.UTF-8", "TMPDIR=/tmp"]
        .map(str::to_owned)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_row() {
        for language in Language::ALL {
            assert_eq!(TABLE.iter().filter(|row| row.language == language).count(), 1);
        }
    }

    #[test]
    fn all_sources_are_compiled_and_nothing_else() {
        let tool = tool(1);
        let files = ["main.c", "more.c", "more.h", "notes.txt"].map(str::to_owned);
        let command = tool.compile(&files).unwrap();
        assert!(command.contains(&"more.c".to_owned()) && !command.contains(&"more.h".to_owned()));
        assert_eq!(command[0], "/usr/bin/tool");
        assert!(!command.contains(&"-static".to_owned()));
    }

    #[test]
    fn output_is_unbuffered_only_when_somebody_waits_for_it() {
        assert!(tool(0).run(&[], true).contains(&"-u".to_owned()));
        assert!(!tool(0).run(&[], false).contains(&"-u".to_owned()));
    }

    fn tool(row: usize) -> Tool {
        let path = PathBuf::from("/usr/bin/tool");
        Tool {
            row: &TABLE[row],
            path,
            version: String::new(),
            links_statically: false,
            first: None,
        }
    }
}
