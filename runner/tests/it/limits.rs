//! Each limit, passed on purpose, and told as that limit.

use domain::{
    content::{
        Language::{self, C, Javascript, Python},
        Limits,
    },
    run::{ValidatorResult, Verdict},
};

use crate::stage::{job, run};

#[tokio::test]
async fn a_loop_without_end_uses_up_its_processor_time() {
    for (language, text) in [(C, "int main(void) { for (;;); }"), (Python, "while True: pass")] {
        let limits = Limits { cpu_ms: 300, ..Limits::default() };
        let result = limited(language, text, limits).await;
        assert_eq!(result.verdict, Verdict::TimeLimit, "{result:?}");
        assert_eq!(result.detail, "used more than 0.3 s of processor time");
        assert!((300..1500).contains(&result.cpu_ms), "{result:?}");
    }
}

#[tokio::test]
async fn a_program_that_waits_is_stopped_at_the_wall_limit() {
    let limits = Limits { wall_ms: 300, ..Limits::default() };
    let result = limited(Python, "import time; time.sleep(60)", limits).await;
    assert_eq!(result.verdict, Verdict::WallLimit, "{result:?}");
    assert!(result.cpu_ms < 300 && (300..600).contains(&result.wall_ms), "{result:?}");
}

#[tokio::test]
async fn memory_is_limited_in_every_language() {
    for (language, text) in [
        (
            C,
            "#include <stdlib.h>\n#include <string.h>\n\
             int main(void) { for (;;) { char *p = malloc(1 << 20); if (!p) return 1; \
             memset(p, 1, 1 << 20); } }",
        ),
        (Python, "x = []\nwhile True: x.append(bytearray(1 << 20))"),
        (Javascript, "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1))"),
    ] {
        let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };
        let result = limited(language, text, limits).await;
        assert_eq!(result.verdict, Verdict::MemoryLimit, "{language:?} {result:?}");
        assert_eq!(result.detail, "used more than 64 MiB of memory");
    }
}

#[tokio::test]
async fn a_flood_of_processes_is_told_as_one() {
    let text = "import os, time\nfor _ in range(40): os.fork() or time.sleep(9)\n";
    let limits = Limits { processes: 8, wall_ms: 1_000, ..Limits::default() };
    let result = limited(Python, text, limits).await;
    assert_eq!(result.verdict, Verdict::ProcessLimit, "{result:?}");
}

#[tokio::test]
async fn a_flood_of_output_is_cut_at_its_limit() {
    let limits = Limits { output_bytes: 100_000, ..Limits::default() };
    let text = "while True: print('x' * 1000)";
    let result = limited(Python, text, limits).await;
    assert_eq!(result.verdict, Verdict::OutputLimit, "{result:?}");
    assert_eq!(result.stdout.len(), 16 * 1024);
    let text = "import sys\nwhile True: print('x' * 1000, file=sys.stderr)";
    let result = limited(Python, text, limits).await;
    assert_eq!(result.verdict, Verdict::OutputLimit, "{result:?}");
}

#[tokio::test]
async fn files_are_limited_in_all() {
    let limits = Limits { disk_bytes: 1 << 20, ..Limits::default() };
    let one = "open('a', 'wb').write(b'x' * (4 << 20))";
    let many = "for i in range(9): open(f'/tmp/{i}', 'wb').write(b'x' * (200 << 10))";
    for text in [one, many] {
        let result = limited(Python, text, limits).await;
        assert_eq!(result.verdict, Verdict::DiskLimit, "{result:?}");
    }
}

#[tokio::test]
async fn time_and_memory_of_grandchildren_count() {
    let text = "import os\nif os.fork() == 0:\n  if os.fork() == 0:\n    x = bytearray(48 << 20)\n\
                \x20   for i in range(3_000_000): pass\n    os._exit(0)\n  os.wait()\n  os._exit(0)\n\
                os.wait()";
    let result = limited(Python, text, Limits::default()).await;
    assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
    assert!(result.cpu_ms > 50 && result.memory_bytes > 48 << 20, "{result:?}");
}

async fn limited(language: Language, text: &str, limits: Limits) -> ValidatorResult {
    let mut job = job(language, text);
    job.limits = limits;
    run(&job).await
}
