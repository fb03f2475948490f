//! Programs of a package that are run here: validators and submissions, of one file or several.

use bytes::Bytes;
use domain::content::{FILES_MAX, Language, SourceFile, file_name_is_allowed};

use crate::starters::is_of;

/// Why files are no program that can be run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// They come with a script that builds or runs them.
    Script,
    /// None is a source of a language that is known here.
    Language,
    /// A name, a size or a folder that is not possible here, or no text.
    Files,
}

/// The program that `files` are, by their paths within its folder. Its first file gets the name
/// that it must have here, and sources the ending that they must have.
pub(crate) fn assemble(
    files: &[(&str, &Bytes)],
    bytes_max: usize,
) -> Result<(Language, Vec<SourceFile>), Unfit> {
    if files.iter().any(|(path, _)| matches!(*path, "build" | "run")) {
        return Err(Unfit::Script);
    }
    let language = language(files).ok_or(Unfit::Language)?;
    let mut sources = Vec::new();
    for (path, bytes) in files {
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| Unfit::Files)?;
        let name = renamed(path, language);
        if !file_name_is_allowed(&name) || text.len() > bytes_max {
            return Err(Unfit::Files);
        }
        sources.push(SourceFile { name, text });
    }
    put_first(&mut sources, language);
    let is_alone = |file: &SourceFile| sources.iter().filter(|o| o.name == file.name).count() == 1;
    if sources.len() > FILES_MAX || !sources.iter().all(is_alone) {
        return Err(Unfit::Files);
    }
    Ok((language, sources))
}

/// The language that most of the files are in.
fn language(files: &[(&str, &Bytes)]) -> Option<Language> {
    let count =
        |language: &Language| files.iter().filter(|(path, _)| is_source(path, *language)).count();
    Language::ALL.into_iter().rev().filter(|language| count(language) > 0).max_by_key(count)
}

fn is_source(path: &str, language: Language) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| is_of(language, end))
}

/// `path` with the ending that sources of `language` have here.
fn renamed(path: &str, language: Language) -> String {
    let end = language.main_file().rsplit_once('.').map_or("", |(_, end)| end);
    match path.rsplit_once('.') {
        Some((stem, _)) if is_source(path, language) => format!("{stem}.{end}"),
        _ => path.to_owned(),
    }
}

/// Gives the file that is started its name, and puts it first.
fn put_first(sources: &mut [SourceFile], language: Language) {
    let main = language.main_file();
    let rank = |file: &SourceFile| {
        let is_source = is_source(&file.name, language);
        let starts = ["main(", "__main__"].iter().any(|word| file.text.contains(word));
        (file.name == main, is_source && starts, is_source)
    };
    // The first of the best.
    let best = (0..sources.len()).rev().max_by_key(|at| sources.get(*at).map(rank));
    if let Some(at) = best {
        sources.swap(0, at);
    }
    if let Some(first) = sources.first_mut() {
        main.clone_into(&mut first.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_started_comes_first_under_its_name() {
        let (library, main) = (Bytes::from("int f();"), Bytes::from("int main() {}"));
        let files = [("a.cc", &library), ("check.cc", &main), ("testlib.h", &library)];
        let (language, sources) = assemble(&files, 100).unwrap();
        let names: Vec<_> = sources.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((language, names), (Language::Cpp, vec!["main.cpp", "a.cpp", "testlib.h"]));
        assert_eq!(sources[0].text, "int main() {}");
    }

    #[test]
    fn what_cannot_be_run_here_is_told_apart() {
        let text = Bytes::from("x");
        let unfit = |files: &[(&str, &Bytes)]| assemble(files, 10).unwrap_err();
        assert_eq!(unfit(&[("build", &text), ("a.cpp", &text)]), Unfit::Script);
        assert_eq!(unfit(&[("a.cob", &text)]), Unfit::Language);
        assert_eq!(unfit(&[("a.py", &text), ("sub/b.py", &text)]), Unfit::Files);
        assert_eq!(unfit(&[("a.py", &Bytes::from_static(b"\xff"))]), Unfit::Files);
        assert_eq!(unfit(&[("a.py", &Bytes::from(vec![b'x'; 11]))]), Unfit::Files);
    }
}
