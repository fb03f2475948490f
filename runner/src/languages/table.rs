//! The table of languages: one row each, and nothing else.
//!
//! A row names its tools as they are called under `/usr/bin`; with `a|b`, the first that is there.
//! In commands, `{gcc}` stands for the real path of the tool whose first name that is, `{main}` for
//! the main file, `{sources}` for all files with its ending, the main file last, and `{mib}` for
//! the content's memory limit. What compiles must leave one file called `main`: a program, or
//! something that the run's command names. A command with `'` or `&&` goes to a shell.

use domain::content::Language;

use super::{Allowance, Row};
use crate::frame::Walls;

/// How a compiled program is started: from what was kept of it, not from the work directory.
pub(super) const PROGRAM: &str = "/box/work/main";

/// What compiling may use; not the content's to choose.
const COMPILE: Walls = Walls {
    cpu_ms: 10_000,
    // Thrice the processor time: what is compiled beside a busy server has less of it.
    wall_ms: 30_000,
    memory_bytes: 1 << 30,
    processes: 32,
    output_bytes: 256 << 10,
    disk_bytes: 64 << 20,
};

/// The same for compilers that are large programs with many threads.
const COMPILE_LARGE: Walls = Walls {
    cpu_ms: 40_000,
    wall_ms: 60_000,
    memory_bytes: 2 << 30,
    processes: 96,
    disk_bytes: 256 << 20,
    ..COMPILE
};

const NOTHING: Allowance = Allowance { cpu_ms: 0, memory_bytes: 4 << 20, processes: 0 };
const SMALL: Allowance = Allowance { cpu_ms: 50, memory_bytes: 16 << 20, processes: 0 };
const LARGE: Allowance = Allowance { cpu_ms: 200, memory_bytes: 96 << 20, processes: 24 };
/// Code, classes and threads of the machine; the heap is limited by `-Xmx`.
const JVM: Allowance = Allowance { cpu_ms: 300, memory_bytes: 192 << 20, processes: 32 };

/// A language whose interpreter reads the main file.
const SCRIPT: Row = Row {
    language: Language::Python,
    name: "",
    package: "",
    tools: "",
    question: "--version",
    env: "",
    compile: "",
    compile_walls: COMPILE,
    run: "",
    streamed: "",
    allowance: SMALL,
};
/// A language that is compiled to a program of the machine.
const NATIVE: Row = Row { run: PROGRAM, allowance: NOTHING, ..SCRIPT };

pub(super) const TABLE: &[Row] = &[
    Row {
        language: Language::Python,
        name: "Python",
        package: "python3",
        tools: "python3",
        // Not `-I`: an answer may consist of several modules.
        run: "{python3} -E -s -B {main}",
        // Python knows no line buffering for what is no terminal.
        streamed: "-u",
        ..SCRIPT
    },
    Row {
        language: Language::C,
        name: "C ({})",
        package: "gcc libc6-dev",
        tools: "gcc|clang",
        compile: "{gcc} -std=gnu17 -O2 -Wall -pipe {static} -o main {sources} -lm -pthread",
        ..NATIVE
    },
    Row {
        language: Language::Cpp,
        name: "C++ ({})",
        package: "g++",
        tools: "g++|clang++",
        // What is before `{static}` makes the precompiled header too, or it would not fit.
        compile: "{g++} {headers} -std=gnu++20 -O2 -Wall -pipe -pthread {static} -o main {sources} -lm",
        ..NATIVE
    },
    Row {
        language: Language::Javascript,
        name: "JavaScript (Node.js)",
        package: "nodejs",
        tools: "node|nodejs",
        run: "{node} --stack-size=50000 {main}",
        allowance: LARGE,
        ..SCRIPT
    },
    Row {
        language: Language::Java,
        name: "Java",
        package: "default-jdk-headless",
        tools: "java javac jar",
        compile: "{javac} -J-Xmx512m -J-XX:+UseSerialGC -J-XX:TieredStopAtLevel=1 \
                  -J-XX:-UsePerfData -encoding UTF-8 -d classes {sources} && \
                  {jar} -J-XX:+UseSerialGC -J-XX:TieredStopAtLevel=1 -J-XX:-UsePerfData \
                  -c -0 -f main -C classes .",
        compile_walls: COMPILE_LARGE,
        run: "{java} -Xmx{mib}m -Xss64m -XX:+UseSerialGC -XX:-UsePerfData -cp main Main",
        allowance: JVM,
        ..SCRIPT
    },
    Row {
        language: Language::Rust,
        name: "Rust",
        package: "rustc",
        tools: "rustc gcc",
        compile: "{rustc} --edition=2021 -O -o main {main}",
        compile_walls: Walls { cpu_ms: 20_000, wall_ms: 60_000, disk_bytes: 128 << 20, ..COMPILE },
        ..NATIVE
    },
    Row {
        language: Language::Go,
        name: "Go",
        package: "golang-go",
        tools: "go",
        question: "version",
        env: "GOCACHE=/tmp/go GO111MODULE=off CGO_ENABLED=0",
        compile: "{go} build -p=2 -o main {sources}",
        compile_walls: COMPILE_LARGE,
        allowance: Allowance { cpu_ms: 10, memory_bytes: 16 << 20, processes: 16 },
        ..NATIVE
    },
    Row {
        language: Language::Typescript,
        name: "TypeScript (esbuild, Node.js)",
        package: "esbuild nodejs",
        tools: "esbuild node|nodejs",
        compile: "{esbuild} {main} --bundle --platform=node --log-level=warning --outfile=main",
        run: "{node} --stack-size=50000 main",
        allowance: LARGE,
        ..SCRIPT
    },
    // Where there is no esbuild: Node.js itself leaves types out, from version 22.18 on.
    Row {
        language: Language::Typescript,
        name: "TypeScript (Node.js)",
        package: "nodejs",
        tools: "node|nodejs",
        question: "-p process.features.typescript?process.version:process.exit(1)",
        run: "{node} --stack-size=50000 {main}",
        allowance: LARGE,
        ..SCRIPT
    },
    Row {
        language: Language::Csharp,
        name: "C# (Mono)",
        package: "mono-mcs",
        tools: "mono mcs",
        compile: "{mcs} -optimize+ -langversion:latest -r:System.Numerics.dll -out:main {sources}",
        run: "{mono} main",
        allowance: Allowance { cpu_ms: 100, memory_bytes: 64 << 20, processes: 16 },
        ..SCRIPT
    },
    Row {
        language: Language::Kotlin,
        // Its compiler takes a second to say which one it is.
        name: "Kotlin (Java {})",
        package: "kotlin default-jre-headless",
        tools: "java kotlinc",
        compile: "{kotlinc} -J-Xmx1g {sources} -include-runtime -d main.jar && mv main.jar main",
        compile_walls: COMPILE_LARGE,
        run: "{java} -Xmx{mib}m -Xss64m -XX:+UseSerialGC -XX:-UsePerfData -cp main MainKt",
        allowance: JVM,
        ..SCRIPT
    },
    Row {
        language: Language::Ruby,
        name: "Ruby",
        package: "ruby",
        tools: "ruby",
        run: "{ruby} {main}",
        allowance: Allowance { cpu_ms: 100, memory_bytes: 32 << 20, processes: 2 },
        ..SCRIPT
    },
    Row {
        language: Language::Php,
        name: "PHP",
        package: "php-cli",
        tools: "php",
        // The machine's settings are those of its web server; the walls limit memory.
        run: "{php} -n -d memory_limit=-1 -d display_errors=stderr {main}",
        allowance: Allowance { cpu_ms: 50, memory_bytes: 32 << 20, processes: 0 },
        ..SCRIPT
    },
    Row {
        language: Language::Haskell,
        name: "Haskell (ghc {})",
        package: "ghc",
        tools: "ghc",
        compile: "{ghc} -O -v0 -o main {main}",
        compile_walls: COMPILE_LARGE,
        allowance: Allowance { cpu_ms: 10, memory_bytes: 16 << 20, processes: 4 },
        ..NATIVE
    },
    Row {
        language: Language::Ocaml,
        name: "OCaml",
        package: "ocaml-nox",
        tools: "ocamlopt",
        question: "-version",
        compile: "{ocamlopt} -O3 -w -a -o main unix.cmxa str.cmxa {sources}",
        ..NATIVE
    },
    Row {
        language: Language::Pascal,
        name: "Pascal (fpc {})",
        package: "fp-compiler",
        tools: "fpc",
        question: "-iV",
        compile: "{fpc} -O2 -v0ew -omain {main}",
        ..NATIVE
    },
    Row {
        language: Language::Perl,
        name: "Perl",
        package: "perl",
        tools: "perl",
        run: "{perl} -I. {main}",
        ..SCRIPT
    },
    Row {
        language: Language::Lua,
        name: "Lua",
        package: "lua5.4",
        tools: "lua5.4|lua5.3|lua",
        question: "-v",
        run: "{lua5.4} {main}",
        ..SCRIPT
    },
    Row {
        language: Language::R,
        name: "R",
        package: "r-base-core",
        tools: "Rscript",
        run: "{Rscript} --vanilla {main}",
        allowance: Allowance { cpu_ms: 500, memory_bytes: 96 << 20, processes: 8 },
        ..SCRIPT
    },
    Row {
        language: Language::Bash,
        name: "Bash",
        package: "bash",
        tools: "bash",
        run: "{bash} {main}",
        ..SCRIPT
    },
    Row {
        language: Language::Sqlite,
        name: "SQL (SQLite {})",
        package: "sqlite3",
        tools: "sqlite3",
        // The input makes the tables, the answer asks.
        run: "exec {sqlite3} -batch -bail -cmd '.read /dev/stdin' :memory: '.read {main}'",
        ..SCRIPT
    },
    Row {
        language: Language::Fortran,
        name: "Fortran ({})",
        package: "gfortran",
        tools: "gfortran",
        compile: "{gfortran} -O2 -o main {sources}",
        ..NATIVE
    },
    Row {
        language: Language::Ada,
        name: "Ada ({})",
        package: "gnat",
        tools: "gnatmake",
        compile: "{gnatmake} -q -O2 -o main {main}",
        ..NATIVE
    },
    Row {
        language: Language::D,
        name: "D ({})",
        package: "gdc",
        tools: "gdc",
        compile: "{gdc} -O2 -o main {sources}",
        ..NATIVE
    },
    Row {
        language: Language::Nim,
        name: "Nim",
        package: "nim",
        tools: "nim gcc",
        compile: "{nim} c -d:release --hints:off --nimcache:/tmp/nim -o:main {main}",
        compile_walls: COMPILE_LARGE,
        ..NATIVE
    },
    Row {
        language: Language::Lisp,
        name: "Common Lisp ({})",
        package: "sbcl",
        tools: "sbcl",
        run: "{sbcl} --dynamic-space-size {mib} --script {main}",
        allowance: Allowance { cpu_ms: 300, memory_bytes: 96 << 20, processes: 4 },
        ..SCRIPT
    },
    Row {
        language: Language::Scheme,
        name: "Scheme (Guile {})",
        package: "guile-3.0",
        tools: "guile",
        run: "{guile} --no-auto-compile -L . -s {main}",
        allowance: Allowance { cpu_ms: 200, memory_bytes: 64 << 20, processes: 8 },
        ..SCRIPT
    },
    Row {
        language: Language::Prolog,
        name: "Prolog (SWI {})",
        package: "swi-prolog-nox",
        tools: "swipl",
        run: "{swipl} --no-tty -q -g main,halt {main}",
        allowance: Allowance { cpu_ms: 200, memory_bytes: 64 << 20, processes: 4 },
        ..SCRIPT
    },
    Row {
        language: Language::Tcl,
        name: "Tcl",
        package: "tcl",
        tools: "tclsh",
        // It has no option for this, but reads programs.
        question: "<puts [info patchlevel]",
        run: "{tclsh} {main}",
        ..SCRIPT
    },
    Row {
        language: Language::Awk,
        name: "AWK ({})",
        package: "gawk",
        tools: "gawk",
        run: "{gawk} -f {main}",
        ..SCRIPT
    },
];
