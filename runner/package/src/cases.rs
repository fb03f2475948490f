//! The test cases of a package: samples become shown validators, secret ones hidden validators.

use bytes::Bytes;
use domain::{
    content::{Comparison, Group, Validator},
    judging::Judging,
};

use crate::{
    Refusal,
    blobs::Blobs,
    comparison,
    groups::{GroupSettings, Groups},
    notes::Notes,
    settings::Settings,
    tree::Tree,
    validator,
    yaml::{self, get, words},
};

/// What is checked, and how.
#[derive(Debug)]
pub(crate) struct Cases {
    pub(crate) comparison: Comparison,
    pub(crate) validators: Vec<Validator>,
    pub(crate) groups: Vec<Group>,
    pub(crate) judging: Judging,
}

/// An input of the package.
#[derive(Debug)]
struct Case<'t> {
    folder: &'t str,
    /// Its path without `.in`.
    stem: &'t str,
    input: &'t Bytes,
}

impl<'t> Case<'t> {
    fn new(path: &'t str, input: &'t Bytes) -> Option<Self> {
        let stem = path.strip_suffix(".in")?;
        let (folder, _) = stem.rsplit_once('/')?;
        // Data of `x.files` are no inputs of their own.
        let data = format!("{folder}/").contains(".files/");
        (!data).then_some(Self { folder, stem, input })
    }

    /// Its name within the samples or the secret cases.
    fn name(&self) -> &'t str {
        let name = self.stem.strip_prefix("data/").and_then(|rest| rest.split_once('/'));
        name.map_or(self.stem, |(_, name)| name)
    }
}

pub(crate) fn read(
    tree: &Tree,
    settings: &Settings,
    blobs: &mut Blobs,
    notes: &mut Notes,
) -> Result<Cases, Refusal> {
    let (samples, secret) = (cases(tree, "data/sample"), cases(tree, "data/secret"));
    let group_settings = GroupSettings::read(tree, settings)?;
    let folders: Vec<_> = secret.iter().map(|case| case.folder).collect();
    let groups = Groups::plan(settings, &group_settings, &folders, notes);
    if secret.is_empty() {
        notes.repair("There are no secret test cases. Add some, or anybody can print the answers.");
    }
    check_all_have_inputs(tree, notes);
    let wholes = folders.iter().map(|folder| group_settings.whole_of_a_case(folder)).collect();
    let judging = validator::read(tree, settings, &wholes, notes);
    unsupported(tree, settings, notes);
    let own_program = validator::is_wanted(tree, settings);
    let is_compared = judging == Judging::Compare;
    let mut reader = Validators {
        tree,
        settings,
        group_settings,
        groups,
        own_program,
        is_compared,
        blobs,
        notes,
    };
    let comparison = reader.comparison("data/secret", None);
    let shown = samples.iter().map(|case| (case, true));
    let all = shown.chain(secret.iter().map(|case| (case, false)));
    let validators = all
        .map(|(case, shown)| reader.validator(case, shown, &comparison))
        .collect::<Result<_, _>>()?;
    Ok(Cases { comparison, validators, groups: reader.groups.all, judging })
}

/// The cases below `folder`, in the order of their names.
fn cases<'t>(tree: &'t Tree, folder: &str) -> Vec<Case<'t>> {
    let mut cases: Vec<_> =
        tree.below(folder).filter_map(|(path, input)| Case::new(path, input)).collect();
    cases.sort_by(|a, b| a.stem.split('/').cmp(b.stem.split('/')));
    cases
}

fn unsupported(tree: &Tree, settings: &Settings, notes: &mut Notes) {
    let cases = [
        (settings.is("submit-answer"), "Answers are to be handed in instead of a program"),
        (
            tree.has_folder("include"),
            "Code of the package is to be added to each answer (“include”)",
        ),
        (
            tree.has_folder("graders"),
            "Points are to be given by a program of the package (“graders”)",
        ),
        (
            tree.below("data").any(|(path, _)| path.contains(".files/")),
            "Some cases bring files along (“.files”)",
        ),
    ];
    for (_, what) in cases.iter().filter(|(is, _)| *is) {
        notes.repair(format!("{what}, which does not exist here. Change the exercise."));
    }
}

/// Notes answers that nobody asks for: their input is likely missing.
fn check_all_have_inputs(tree: &Tree, notes: &mut Notes) {
    for folder in ["data/sample", "data/secret"] {
        for (path, _) in tree.below(folder) {
            let stem = path.strip_suffix(".ans");
            if stem.is_some_and(|stem| tree.get(&format!("{stem}.in")).is_none()) {
                notes.repair(format!("“{path}” has no input beside it and was left out. Add it."));
            }
        }
    }
}

/// Makes validators of cases.
struct Validators<'a> {
    tree: &'a Tree,
    settings: &'a Settings,
    group_settings: GroupSettings,
    groups: Groups,
    /// Flags are for a program of the package, not for the default one.
    own_program: bool,
    /// Answers are compared with what is expected, without which nothing can be judged.
    is_compared: bool,
    blobs: &'a mut Blobs,
    notes: &'a mut Notes,
}

impl Validators<'_> {
    fn validator(
        &mut self,
        case: &Case<'_>,
        shown: bool,
        usual: &Comparison,
    ) -> Result<Validator, Refusal> {
        let answer = self.tree.get(&format!("{}.ans", case.stem)).cloned();
        if answer.is_none() && self.is_compared {
            self.notes.repair(format!("“{}.in” has no answer beside it. Add it.", case.stem));
        }
        let own_flags = self.own_flags(case)?;
        let comparison = self.comparison(case.folder, own_flags.as_deref());
        let apart = shown && !self.groups.all.is_empty();
        Ok(Validator {
            name: case.name().to_owned(),
            input: self.blobs.add(case.input),
            expected: self.blobs.add(&answer.unwrap_or_default()),
            shown,
            weight: u32::from(!apart),
            group: if shown { None } else { self.groups.of(case.folder) },
            comparison: Some(comparison).filter(|comparison| comparison != usual),
            arguments: self.arguments(case.folder, own_flags.as_deref()),
        })
    }

    /// The flags that a single case has in its own settings (2023-07).
    fn own_flags(&mut self, case: &Case<'_>) -> Result<Option<Vec<String>>, Refusal> {
        let path = format!("{}.yaml", case.stem);
        let Some(bytes) = self.tree.get(&path) else { return Ok(None) };
        let yaml = yaml::parse(&path, bytes)?;
        if !words(get(&yaml, "args")).is_empty() {
            self.notes.repair(format!(
                "The case “{}” gives the program arguments, which does not exist here. Put them \
                 into its input.",
                case.name()
            ));
        }
        let flags = get(&yaml, "output_validator_args");
        Ok((!flags.is_null()).then(|| words(flags)))
    }

    /// What a program of the package is given for a case in `folder`, beyond what it always is.
    fn arguments(&self, folder: &str, own: Option<&[String]>) -> Vec<String> {
        if !self.own_program {
            return Vec::new();
        }
        own.map_or_else(|| self.group_settings.flags(folder), <[String]>::to_vec)
    }

    /// How answers in `folder` are compared, unless a case says otherwise.
    fn comparison(&mut self, folder: &str, own: Option<&[String]>) -> Comparison {
        if self.own_program {
            return Comparison::default();
        }
        let mut flags = self.settings.validator_flags.clone();
        match own {
            Some(own) => flags.extend_from_slice(own),
            None => flags.extend(self.group_settings.flags(folder)),
        }
        comparison::read(&flags, self.notes)
    }
}
