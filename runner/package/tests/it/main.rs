//! Whole packages, from files to content: real ones, our own, and hostile ones.

// Marked, so that their helpers may unwrap as tests do.
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod real;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod validators;

use domain::content::{Code, Component, Content};

fn code(content: &Content) -> &Code {
    match &content.component {
        Component::Code(code) => code,
        Component::Quiz(_) => panic!("a package is answered by a program"),
    }
}

/// The names of the validators, shown ones or hidden ones.
fn names(content: &Content, shown: bool) -> Vec<&str> {
    let validators = code(content).validators.iter();
    validators.filter(|one| one.shown == shown).map(|one| one.name.as_str()).collect()
}
