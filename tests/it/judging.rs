//! Programs that judge, through the real program: verified, tried, written and read again.

use std::{io::Write, path::PathBuf, process::Output};

use anyhow::ensure;
use hyper::{Method, StatusCode, header};
use loadtests::{
    http::{Ask, Reply},
    server::Server,
};
use serde_json::{Value, json};
use tokio::process::Command;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::setting::{Done, binary};

#[tokio::test]
async fn submissions_of_packages_come_out_as_expected() -> Done {
    for name in ["any-order", "guess", "share", "twice"] {
        let output = verify(&fixture(name), &["--json"]).await?;
        ensure!(output.status.success(), "{name}: {output:?}");
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let lines = report["submissions"].as_array().map_or(0, Vec::len);
        ensure!(lines >= 2 && report["errors"] == json!([]), "{name}: {report}");
        ensure!(report["suggested_time_limit_ms"].as_u64() >= Some(1_000), "{name}: {report}");
    }
    Ok(())
}

#[tokio::test]
async fn a_package_with_a_wrong_expectation_is_not_verified() -> Done {
    let scratch = tempfile::tempdir()?;
    let package = scratch.path().join("package.zip");
    let mut zip = ZipWriter::new(std::fs::File::create(&package)?);
    for (path, text) in [
        ("problem.yaml", "name: Broken\nvalidation: custom\n"),
        ("problem_statement/problem.en.md", "Print anything."),
        ("data/secret/1.in", "1"),
        ("data/secret/1.ans", "1"),
        ("output_validators/v.py", "import sys\nsys.exit(int(input()))\n"),
        ("submissions/accepted/wrong.py", "print(43)\n"),
        ("submissions/accepted/crashes_it.py", "print(1)\n"),
        ("submissions/wrong_answer/wrong.py", "print(43)\n"),
    ] {
        zip.start_file(path, SimpleFileOptions::default())?;
        zip.write_all(text.as_bytes())?;
    }
    zip.finish()?;
    let output = verify(&package, &[]).await?;
    let table = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(1), "{table}");
    ensure!(table.contains("“accepted/wrong.py” is wrong_answer, not accepted."), "{table}");
    ensure!(table.contains("the validator itself failed it ended with exit code 1"), "{table}");
    ensure!(table.contains("ok wrong_answer/wrong.py"), "{table}");
    Ok(())
}

#[tokio::test]
async fn a_content_is_tried_with_a_program_that_talks_and_written_as_a_package() -> Done {
    let server = Server::start(binary()?, false).await?;
    let mut creator = server.creator().await?;
    let imported = import(&mut creator.browser, packed(&fixture("guess"))?).await?.done()?;
    ensure!(imported["repairs"] == json!([]), "{imported}");
    let path = format!("/api/v1/contents/{}", imported["id"].as_str().unwrap_or_default());
    let document = creator.browser.get(&path).await?.done()?["document"].clone();
    let solution = document["component"]["solution"].clone();
    let asked = json!({ "document": document, "language": "python", "files": solution["files"] });
    let tried = creator.browser.post("/api/v1/contents/try", &asked).await?;
    let lines: Vec<Value> = tried
        .body
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let results = lines.iter().filter(|line| line["type"] == "judged").collect::<Vec<_>>();
    ensure!(results.len() == 4, "{lines:?}");
    for line in results {
        ensure!(line["result"]["verdict"] == "accepted", "{line}");
        let said = line["result"]["stdout"].as_str().unwrap_or_default();
        ensure!(said.starts_with("> 500\n< "), "{line}");
    }
    let zip = creator.browser.get(&format!("{path}/package.zip")).await?;
    ensure!(zip.status == StatusCode::OK, "{zip:?}");
    let again = import(&mut creator.browser, zip.body.to_vec()).await?.done()?;
    let path = format!("/api/v1/contents/{}", again["id"].as_str().unwrap_or_default());
    let mut again = creator.browser.get(&path).await?.done()?["document"].clone();
    again["assumed"] = document["assumed"].clone();
    ensure!(again == document, "{again}\n{document}");
    Ok(())
}

#[tokio::test]
async fn a_judging_program_that_could_not_run_is_refused_with_a_reason() -> Done {
    let server = Server::start(binary()?, true).await?;
    let mut creator = server.creator().await?;
    let imported = import(&mut creator.browser, packed(&fixture("any-order"))?).await?.done()?;
    let path = format!("/api/v1/contents/{}", imported["id"].as_str().unwrap_or_default());
    let good = creator.browser.get(&path).await?.done()?;
    for (at, wrong, code) in [
        ("/files/0/name", json!("../main.cpp"), "bad_file_name"),
        ("/limits/cpu_ms", json!(0), "bad_limits"),
        ("/limits/memory_bytes", json!(1_u64 << 40), "bad_limits"),
        ("/passes", json!(200), "bad_limits"),
    ] {
        let mut document = good["document"].clone();
        let part = document.pointer_mut(&format!("/component/judging{at}"));
        *part.ok_or_else(|| anyhow::anyhow!("{at} is there"))? = wrong;
        let asked = json!({ "edition": good["edition"], "document": document });
        let refused = creator.browser.put(&path, &asked).await?;
        ensure!(refused.code() == code, "{at}: {refused:?}");
        let asked = json!({ "document": document, "language": "python", "files": [] });
        let refused = creator.browser.post("/api/v1/contents/try", &asked).await?;
        ensure!(refused.code() == "bad_content", "{at}: {refused:?}");
    }
    Ok(())
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../runner/package/fixtures").join(name)
}

async fn verify(package: &std::path::Path, more: &[&str]) -> anyhow::Result<Output> {
    let command = ["package", "verify"];
    let output = Command::new(binary()?).args(command).arg(package).args(more).output();
    Ok(output.await?)
}

async fn import(browser: &mut loadtests::http::Http, zip: Vec<u8>) -> anyhow::Result<Reply> {
    let headers = vec![(header::CONTENT_TYPE, "application/zip")];
    let path = "/api/v1/contents/import";
    browser.ask(Ask { method: Method::POST, path, headers, body: zip.into() }).await
}

/// The files of a folder as a zip.
fn packed(root: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            zip.start_file(name, SimpleFileOptions::default())?;
            zip.write_all(&std::fs::read(&path)?)?;
        }
    }
    Ok(zip.finish()?.into_inner())
}
