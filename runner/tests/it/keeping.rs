//! What is kept of compiling: programs, what compilers said, and precompiled headers.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use domain::{
    content::Language::{C, Cpp, Csharp, Java, Python, Typescript},
    ports::Sandbox,
    run::{Channel, Job, Outcome, Progress, Verdict},
};
use runner::NamespaceSandbox;

use crate::stage::{input, job, sandbox_keeping};

const WARNED: &str = "#include <stdio.h>\n#warning careful\nint main(void) { puts(\"a\"); }";

#[tokio::test]
async fn what_was_compiled_before_is_not_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox_keeping(dir.path()).await;
    let (a, b) = (job(C, WARNED), job(C, &WARNED.replace("\"a\"", "\"b\"")));
    let first = sandbox.run(&a, &|_| ()).await;
    let file_of_a = only(&kept(dir.path()));
    sandbox.run(&b, &|_| ()).await;
    let again = sandbox.run(&a, &|_| ()).await;
    assert_eq!(printed(&first), "a\n");
    assert_eq!(printed(&again), "a\n");
    assert!(first.compiler_output.contains("careful"));
    assert_eq!(again.compiler_output, first.compiler_output);
    // If the one is put in the other's place and runs, then nobody compiled; after a restart too.
    let file_of_b = kept(dir.path()).into_iter().find(|file| *file != file_of_a).unwrap();
    fs::copy(file_of_b, &file_of_a).unwrap();
    assert_eq!(printed(&sandbox.run(&a, &|_| ()).await), "b\n");
    let sandbox = sandbox_keeping(dir.path()).await;
    assert_eq!(printed(&sandbox.run(&a, &|_| ()).await), "b\n");
    // What is not whole is made anew.
    fs::File::options().write(true).open(&file_of_a).unwrap().set_len(9000).unwrap();
    assert_eq!(printed(&sandbox.run(&a, &|_| ()).await), "a\n");
}

#[tokio::test]
async fn an_error_is_told_again_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox_keeping(dir.path()).await;
    let broken = job(C, "int main( { }");
    let first = told(&sandbox, &broken).await;
    assert_eq!(kept(dir.path()).len(), 1);
    let again = told(&sandbox, &broken).await;
    assert!(!again.0.compiled && first.1.contains("error:"), "{first:?}");
    assert_eq!(again, first);
}

#[tokio::test]
async fn what_was_stopped_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox_keeping(dir.path()).await;
    let outcome = sandbox.run(&job(C, "#include \"/dev/zero\"\nint main(void) {}"), &|_| ()).await;
    assert!(outcome.compiler_output.contains("the compiler was stopped"), "{outcome:?}");
    assert_eq!(kept(dir.path()), Vec::<PathBuf>::new());
}

/// Each run of a program that is a file for its language's machine gets its own copy.
#[tokio::test]
async fn no_run_changes_what_the_next_one_gets() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox_keeping(dir.path()).await;
    let offered: Vec<_> = sandbox.languages().into_iter().map(|(language, _)| language).collect();
    let spoil_in_c = "#include <stdio.h>\n#include <unistd.h>\nint main(void) {\
                      unlink(\"main\"); FILE *f = fopen(\"main\", \"w\"); fputs(\"#!/bin/false\", f);\
                      fclose(f); fopen(\"/proc/self/exe\", \"w\"); puts(\"ran\"); }";
    let spoil_in_java = "import java.nio.file.*; class Main { public static void main(String[] a)\
                         throws Exception { Files.delete(Path.of(\"main\"));\
                         Files.writeString(Path.of(\"main\"), \"x\"); System.out.println(\"ran\"); } }";
    let spoil_in_csharp = "using System.IO; class P { static void Main() { File.Delete(\"main\");\
                           File.WriteAllText(\"main\", \"x\"); System.Console.WriteLine(\"ran\"); } }";
    let spoil_in_typescript = "import * as fs from 'node:fs'; fs.unlinkSync('main');\
                               fs.writeFileSync('main', 'x'); console.log('ran')";
    for (language, text) in [
        (C, spoil_in_c),
        (Java, spoil_in_java),
        (Csharp, spoil_in_csharp),
        (Typescript, spoil_in_typescript),
    ] {
        if !offered.contains(&language) {
            println!("left out: {language:?}, not installed");
            continue;
        }
        let mut job = job(language, text);
        job.inputs = vec![input("", Some("ran\n")); 2];
        for _ in 0..2 {
            let outcome = sandbox.run(&job, &|_| ()).await;
            let verdicts: Vec<_> = outcome.results.iter().map(|r| r.verdict).collect();
            assert_eq!(verdicts, [Verdict::Accepted; 2], "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_precompiled_header_is_there_to_be_read_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox_keeping(dir.path()).await;
    sandbox.prepared().await;
    let made: Vec<_> = fs::read_dir(dir.path().join("headers")).unwrap().flatten().collect();
    let header = made.first().expect("one of g++").path().join("bits/stdc++.h.gch");
    assert!(header.exists() && made.len() == 1);
    let sum = "#include <bits/stdc++.h>\n#ifndef __POLYCODE_PRECOMPILED__\n#error it was not used\n\
               #endif\nint main() { std::cout << std::gcd(6, 9); }";
    let mut job_of_cpp = job(Cpp, sum);
    job_of_cpp.inputs = vec![input("", Some("3"))];
    let outcome = sandbox.run(&job_of_cpp, &|_| ()).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
    let text = "import os\n[d] = os.listdir('/headers')\np = f'/headers/{d}/bits/'\n\
                assert os.path.getsize(p + 'stdc++.h.gch') > 1 << 20\n\
                v = os.statvfs(p).f_flag\n\
                assert v & os.ST_RDONLY and v & os.ST_NOEXEC and v & os.ST_NOSUID and v & os.ST_NODEV\n\
                for f in (lambda: open(p + 'x', 'w'), lambda: os.unlink(p + 'stdc++.h.gch')):\n\
                \x20 try: f()\n\
                \x20 except OSError: print('refused')";
    let outcome = sandbox.run(&job(Python, text), &|_| ()).await;
    assert_eq!(printed(&outcome), "refused\nrefused\n", "{outcome:?}");
}

async fn told(sandbox: &NamespaceSandbox, job: &Job) -> (Outcome, String) {
    let said = Mutex::new(String::new());
    let tell = |progress| {
        if let Progress::Output { channel: Channel::Compiler, bytes, .. } = progress {
            said.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    let outcome = sandbox.run(job, &tell).await;
    (outcome, said.into_inner().unwrap())
}

fn printed(outcome: &Outcome) -> &str {
    &outcome.results[0].stdout
}

fn kept(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir.join("artefacts")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn only(files: &[PathBuf]) -> PathBuf {
    assert_eq!(files.len(), 1);
    files[0].clone()
}
