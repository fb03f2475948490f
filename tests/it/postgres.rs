//! The whole program on PostgreSQL: it is played on, killed, and told a wrong address.

use std::{path::Path, process::Command};

use anyhow::ensure;
use loadtests::server::{Launch, Server, create_admin_by};
use storage::scratch::Scratch;
use tempfile::TempDir;

use crate::{
    kill,
    setting::{Done, Setting, binary, settings},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_on_postgres_loses_nothing_and_no_data_is_beside_it() -> Done {
    let Some(database) = database().await? else { return Ok(()) };
    let scratch = TempDir::new()?;
    let data = scratch.path().join("data");
    let named = format!("POLYCODE_DATABASE={}", database.url());
    let launch = Launch::new(binary()?, true).behind(vec!["env".to_owned(), named]);
    create_admin_by(&launch, &data).await?;
    let server = Server::launch(launch, &data).await?;
    let mut creator = server.creator().await?;
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let mut setting = Setting::on(server, creator, &settings(), questions, 20).await?;
    kill::nothing_is_lost(&mut setting).await?;
    ensure!(!data.exists(), "something is kept beside the database");
    ensure!(!setting.server.log().contains(storage::scratch::PASSWORD), "the password is logged");
    Ok(())
}

#[tokio::test]
async fn a_wrong_database_ends_with_2_and_one_line_that_says_which_way() -> Done {
    let wrong = [
        ("", "is not of the form"),
        ("mysql://db/poly", "is not of the form"),
        ("postgres://ada@127.0.0.1:1/poly", "no PostgreSQL answers at 127.0.0.1:1"),
    ];
    for (address, says) in wrong {
        is_refused(&serve(address, false)?, says)?;
    }
    let in_argument = serve("postgres://ada:s3cret@127.0.0.1:1/poly", true)?;
    is_refused(&in_argument, "the password of the database stands in an argument")?;
    let Some(database) = database().await? else { return Ok(()) };
    let url = database.url();
    let other = url.replace(storage::scratch::PASSWORD, "another");
    is_refused(&serve(&other, false)?, "the name or the password is wrong (")?;
    let without = url.replace(&format!(":{}", storage::scratch::PASSWORD), "");
    is_refused(&serve(&without, true)?, "wrong, or one is missing")?;
    is_refused(&serve(&format!("{url}x"), false)?, "has no database postgresx")
}

/// A server, or nothing where there is none to be had.
async fn database() -> anyhow::Result<Option<Scratch>> {
    let database = Scratch::start().await?;
    if database.is_none() {
        ensure!(std::env::var_os("CI").is_none(), "PostgreSQL must be there");
        eprintln!("left out: PostgreSQL is not installed");
    }
    Ok(database)
}

/// How `polycode serve` ends on `address`, and what it says: as an argument, or in its environment.
fn serve(address: &str, as_argument: bool) -> anyhow::Result<(Option<i32>, String)> {
    let dir = TempDir::new()?;
    let mut command = Command::new(binary()?);
    command.args(["serve", "--listen", "127.0.0.1:0", "--fake-runs", "--data"]);
    command.arg(dir.path().join("data")).env("RUST_LOG", "error");
    if as_argument {
        command.args(["--database", address]);
    } else {
        command.env("POLYCODE_DATABASE", address);
    }
    let output = command.output()?;
    ensure!(!Path::exists(&dir.path().join("data")), "something was made of the data");
    Ok((output.status.code(), String::from_utf8(output.stderr)?))
}

fn is_refused((code, said): &(Option<i32>, String), says: &str) -> Done {
    ensure!(*code == Some(2), "{code:?}: {said}");
    ensure!(said.lines().count() == 1 && said.contains(says), "{said}");
    ensure!(!said.contains("s3cret") && !said.contains("another"), "{said}");
    Ok(())
}
