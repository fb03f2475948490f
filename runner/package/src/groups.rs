//! Groups of test cases and how they are scored, by `testdata.yaml` (legacy) and
//! `test_group.yaml` (2023-07). Folders of both kinds become one flat list of groups.

use std::collections::BTreeMap;

use domain::content::Group;
use serde_yaml_ng::Value;

use crate::{
    Refusal,
    notes::Notes,
    settings::Settings,
    tree::Tree,
    yaml::{get, number, text, words},
};

const SECRET: &str = "data/secret";
/// What a whole package is worth when it names no number (2023-07).
const SCORE_USUAL: f64 = 100.0;

/// The settings of the folders below `data`.
#[derive(Debug)]
pub(crate) struct GroupSettings {
    by_folder: BTreeMap<String, Value>,
}

impl GroupSettings {
    pub(crate) fn read(tree: &Tree, settings: &Settings) -> Result<Self, Refusal> {
        let mut by_folder = BTreeMap::new();
        for (path, bytes) in tree.below("data") {
            let Some((folder, file)) = path.rsplit_once('/') else { continue };
            if matches!(file, "testdata.yaml" | "test_group.yaml") {
                by_folder.insert(folder.to_owned(), settings.yaml(path, bytes)?);
            }
        }
        Ok(Self { by_folder })
    }

    fn own(&self, folder: &str, key: &str) -> &Value {
        self.by_folder.get(folder).map_or(&Value::Null, |value| get(value, key))
    }

    /// What `folder` says under `key`, or else the closest folder around it that says anything.
    fn nearest(&self, folder: &str, key: &str) -> &Value {
        let mut folder = folder;
        loop {
            let own = self.own(folder, key);
            if !own.is_null() {
                return own;
            }
            match folder.rsplit_once('/') {
                Some((around, _)) => folder = around,
                None => return &Value::Null,
            }
        }
    }

    /// The flags for comparing answers in `folder`, beyond those of the whole package.
    pub(crate) fn flags(&self, folder: &str) -> Vec<String> {
        let modern = words(self.nearest(folder, "output_validator_args"));
        if modern.is_empty() {
            words(self.nearest(folder, "output_validator_flags"))
        } else {
            modern
        }
    }

    /// What `score.txt` says of a case in `folder` that earns everything, if the package says it.
    pub(crate) fn whole_of_a_case(&self, folder: &str) -> Option<u32> {
        let whole = number(self.nearest(folder, "accept_score"))
            .or_else(|| self.named_score(folder).filter(|_| self.all_or_nothing(folder)))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        let points = whole as u32;
        (whole.fract() == 0.0 && (1.0..=1e6).contains(&whole)).then_some(points)
    }

    /// Whether a folder says anything about points.
    fn scores(&self, folder: &str) -> bool {
        ["scoring", "max_score", "range", "accept_score"]
            .iter()
            .any(|key| !self.own(folder, key).is_null())
    }

    /// Whether all cases in `folder` must pass.
    fn all_or_nothing(&self, folder: &str) -> bool {
        match text(get(self.own(folder, "scoring"), "aggregation")).as_deref() {
            Some("sum") => return false,
            Some(_) => return true,
            None => {}
        }
        let flags = words(self.nearest(folder, "grader_flags"));
        let has = |flag: &str| flags.iter().any(|known| known == flag);
        // Without one of the lenient flags a single failure rejects the group, and then it
        // scores nothing, whatever its cases add up to.
        has("min") || !(has("always_accept") || has("accept_if_any_accepted"))
    }

    /// The points that a folder names for itself.
    fn named_score(&self, folder: &str) -> Option<f64> {
        let range = words(self.own(folder, "range"));
        let most = range.get(1).and_then(|most| most.parse::<f64>().ok());
        number(get(self.own(folder, "scoring"), "score"))
            .or_else(|| number(self.own(folder, "max_score")))
            .or_else(|| most.filter(|most| most.is_finite()))
    }

    /// What so many cases add up to by `accept_score` (legacy), if a folder around them has one.
    fn added_up(&self, folder: &str, cases: usize) -> Option<f64> {
        let each = number(self.nearest(folder, "accept_score"))?;
        let once = words(self.nearest(folder, "grader_flags")).iter().any(|flag| flag == "min");
        #[expect(clippy::cast_precision_loss, reason = "there are at most 10,000 cases")]
        let times = if once { 1.0 } else { cases as f64 };
        Some(each * times)
    }
}

/// A group and the folders whose cases are in it.
#[derive(Debug)]
struct Planned {
    folder: String,
    /// Whether cases in folders below belong to it as well.
    deep: bool,
    points: f64,
    all_or_nothing: bool,
}

/// The groups of a package, and which one a case is in.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    planned: Vec<Planned>,
    pub(crate) all: Vec<Group>,
}

impl Groups {
    /// The group of a case in `folder`.
    pub(crate) fn of(&self, folder: &str) -> Option<u16> {
        let holds = |group: &Planned| {
            group.folder == folder
                || (group.deep
                    && folder.strip_prefix(&*group.folder).is_some_and(|f| f.starts_with('/')))
        };
        self.planned.iter().position(holds).and_then(|index| u16::try_from(index).ok())
    }

    /// The groups of the secret cases, whose folders are given, one for each case.
    pub(crate) fn plan(
        settings: &Settings,
        groups: &GroupSettings,
        folders: &[&str],
        notes: &mut Notes,
    ) -> Self {
        let split = folders.iter().any(|folder| *folder != SECRET);
        let scores = folders.iter().any(|folder| *folder != SECRET && groups.scores(folder));
        let whole = settings.is("scoring") && groups.scores(SECRET) && must_all_pass(groups);
        if !(whole || split && (settings.is("scoring") || scores)) {
            return Self::default();
        }
        let points = groups.named_score(SECRET).unwrap_or(SCORE_USUAL);
        let mut planned = Vec::new();
        if whole {
            let folder = SECRET.to_owned();
            planned.push(Planned { folder, deep: true, points, all_or_nothing: true });
        } else {
            divide(groups, SECRET, points, folders, &mut planned);
        }
        unsupported(groups, &planned, notes);
        let all = weighed(&planned, notes);
        Self { planned, all }
    }
}

/// Whether the secret cases are one group that must all pass; groups in it are the usual case.
fn must_all_pass(groups: &GroupSettings) -> bool {
    let aggregation = text(get(groups.own(SECRET, "scoring"), "aggregation"));
    let flags = words(groups.own(SECRET, "grader_flags"));
    matches!(aggregation.as_deref(), Some("min" | "pass-fail")) || flags.iter().any(|f| f == "min")
}

/// Makes a group of each folder within `folder`, and of the cases that lie in it directly.
fn divide(
    groups: &GroupSettings,
    folder: &str,
    points: f64,
    cases: &[&str],
    planned: &mut Vec<Planned>,
) {
    let loose = cases.iter().filter(|case| **case == folder).count();
    let inner = inner_folders(folder, cases);
    let named: Vec<_> = inner.iter().map(|(at, count)| score(groups, at, *count)).collect();
    let rest = (points - named.iter().flatten().sum::<f64>()).max(0.0);
    let unnamed = named.iter().filter(|score| score.is_none()).count() + loose;
    #[expect(clippy::cast_precision_loss, reason = "there are at most 10,000 cases")]
    let (share, loose_share) =
        (rest / unnamed.max(1) as f64, rest * loose as f64 / unnamed.max(1) as f64);
    if loose > 0 {
        let points = groups.added_up(folder, loose).unwrap_or(loose_share);
        let all_or_nothing = folder != SECRET && groups.all_or_nothing(folder);
        planned.push(Planned { folder: folder.to_owned(), deep: false, points, all_or_nothing });
    }
    for ((at, _), score) in inner.iter().zip(named) {
        let points = score.unwrap_or(share);
        let all_or_nothing = groups.all_or_nothing(at);
        if !all_or_nothing && !inner_folders(at, cases).is_empty() {
            divide(groups, at, points, cases, planned);
        } else {
            planned.push(Planned { folder: at.clone(), deep: true, points, all_or_nothing });
        }
    }
}

fn score(groups: &GroupSettings, folder: &str, cases: usize) -> Option<f64> {
    groups.named_score(folder).or_else(|| groups.added_up(folder, cases))
}

/// The folders directly in `folder` that hold cases, and how many each.
fn inner_folders(folder: &str, cases: &[&str]) -> BTreeMap<String, usize> {
    let mut inner = BTreeMap::new();
    for case in cases {
        let below = case.strip_prefix(folder).and_then(|below| below.strip_prefix('/'));
        if let Some(name) = below.and_then(|below| below.split('/').next()) {
            *inner.entry(format!("{folder}/{name}")).or_default() += 1;
        }
    }
    inner
}

/// What is scored in a way that does not exist here.
fn unsupported(groups: &GroupSettings, planned: &[Planned], notes: &mut Notes) {
    for Planned { folder, .. } in planned {
        let name = name(folder);
        let required = words(get(groups.own(folder, "scoring"), "require_pass"));
        if !required.is_empty() {
            notes.repair(format!(
                "The group “{name}” is to count only if {} passes; here each group counts for \
                 itself. Look at its points.",
                required.join(", ")
            ));
        }
        if text(get(groups.own(folder, "scoring"), "score")).as_deref() == Some("unbounded") {
            notes.repair(format!("The group “{name}” has no highest score. Give it points."));
        }
        if words(groups.nearest(folder, "grader_flags")).iter().any(|flag| flag == "max") {
            notes.repair(format!(
                "The group “{name}” is to count by its best case, which does not exist here. Look \
                 at its points."
            ));
        }
    }
}

/// The groups with whole points.
fn weighed(planned: &[Planned], notes: &mut Notes) -> Vec<Group> {
    let whole = planned.iter().all(|group| group.points.fract() == 0.0);
    let factor = if whole { 1.0 } else { 100.0 };
    if !whole {
        notes.assume("points a hundred times those of the package, since they are whole here");
    }
    let nothing = planned.iter().all(|group| group.points <= 0.0);
    let group = |group: &Planned| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast saturates, and points are small"
        )]
        let points = (group.points * factor).round() as u32;
        Group {
            name: name(&group.folder).to_owned(),
            weight: if nothing { 1 } else { points },
            all_or_nothing: group.all_or_nothing,
        }
    };
    planned.iter().map(group).collect()
}

/// The name of the group of a folder.
fn name(folder: &str) -> &str {
    folder.strip_prefix("data/secret/").unwrap_or("secret")
}
