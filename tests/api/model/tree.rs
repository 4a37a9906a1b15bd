//! Answers as trees, and whether two are the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fogbank::types::Micros;

/// An element: its name, its text, and what is inside.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tree {
    pub name: String,
    pub text: String,
    pub inner: Vec<Tree>,
}

/// An element with text in it. A text of the form `~KIND WORDS` is not known beforehand, see [`Learned`].
pub fn leaf(name: &str, text: impl ToString) -> Tree {
    Tree { name: name.into(), text: text.to_string(), inner: Vec::new() }
}

/// An element with others in it.
pub fn node(name: &str, inner: Vec<Tree>) -> Tree {
    Tree { name: name.into(), text: String::new(), inner }
}

/// An element with an `item` for each entry.
pub fn list(name: &str, items: Vec<Vec<Tree>>) -> Tree {
    node(name, items.into_iter().map(|item| node("item", item)).collect())
}

/// A list of pairs of one shape, as `tagSet` is.
pub fn tag_set(name: &str, tags: &[(String, String)]) -> Tree {
    list(name, tags.iter().map(|(key, value)| vec![leaf("key", key), leaf("value", value)]).collect())
}

impl Tree {
    /// Reads what Fogbank writes: elements and text, an attribute on the first one at most. A client's parser does more;
    /// `tests/clients` has them.
    pub fn read(text: &str) -> Self {
        let body = text.split_once("?>\n").map_or(text, |(_, body)| body);
        let mut open = vec![Self::default()];
        for piece in body.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("not XML: {body}"));
            match tag.strip_prefix('/') {
                None => {
                    let name = tag.split(' ').next().unwrap_or_default();
                    open.push(leaf(name, unescaped(text)));
                }
                Some(name) => {
                    let done = open.pop().filter(|done| done.name == name);
                    let done = done.unwrap_or_else(|| panic!("</{name}> ends nothing: {body}"));
                    open.last_mut().unwrap().inner.push(done);
                }
            }
        }
        assert_eq!(open.len(), 1, "not closed: {body}");
        open.remove(0).inner.remove(0)
    }

    /// The first element of that name in this one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.inner.iter().find(|one| one.name == name)
    }

    /// The text at a path of names; empty where there is none.
    pub fn at(&self, path: &str) -> &str {
        let found = path.split('/').try_fold(self, |tree, name| tree.get(name));
        found.map_or("", |tree| &tree.text)
    }

    /// The texts at a path, of every item of lists on the way.
    pub fn all(&self, path: &str) -> Vec<String> {
        let mut level = vec![self];
        for name in path.split('/') {
            let next = level.iter().flat_map(|tree| tree.inner.iter().filter(|one| one.name == name));
            level = next.flat_map(Self::through_items).collect();
        }
        level.into_iter().map(|tree| tree.text.clone()).collect()
    }

    fn through_items(&self) -> Vec<&Self> {
        match self.inner.first() {
            Some(first) if first.name == "item" => self.inner.iter().collect(),
            _ if self.name.ends_with("Set") => Vec::new(),
            _ => vec![self],
        }
    }

    /// The items of a list in this one.
    pub fn items(&self, name: &str) -> Vec<&Self> {
        self.get(name).map_or_else(Vec::new, |list| list.inner.iter().collect())
    }

    pub fn without(mut self, name: &str) -> Self {
        self.inner.retain(|one| one.name != name);
        self
    }

    /// By what elements are ordered before they are compared: everything that the model knows beforehand.
    fn key(&self) -> String {
        let known = self.inner.iter().filter(|one| !LEARNED.contains(&&*one.name));
        let mut inner: Vec<String> = known.map(Self::key).collect();
        inner.sort();
        format!("<{}>{}{}", self.name, self.text, inner.concat())
    }

    /// The order of elements and of lists' items means nothing in EC2.
    fn sorted(&self) -> Vec<&Self> {
        let mut inner: Vec<_> = self.inner.iter().collect();
        inner.sort_by_cached_key(|one| one.key());
        inner
    }

    pub fn show(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let _ = writeln!(out, "{:1$}{2} {3}", "", depth * 2, self.name, self.text);
        self.inner.iter().for_each(|one| one.write(out, depth + 1));
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Elements whose text only the server knows before it is seen.
const LEARNED: &[&str] = &[
    "launchTime",
    "createTime",
    "deleteTime",
    "expirationTime",
    "attachTime",
    "createdDate",
    "startDate",
    "usageOperationUpdateTime",
    "transferOfferExpirationTimestamp",
    "transferOfferAcceptedTimestamp",
    "reason",
    "keyFingerprint",
    "keyMaterial",
    "publicKey",
];

/// What the server decided by itself: once seen, it has to stay.
#[derive(Clone, Default, Debug)]
pub struct Learned {
    known: BTreeMap<String, String>,
    /// When the present step began; what it makes is no older.
    begun: String,
    /// Seven days later, which is when what is offered now ends.
    week: String,
}

fn in_a_week(time: Micros) -> String {
    time.plus_seconds(7 * 24 * 3600).to_string()
}

impl Learned {
    /// A step begins.
    pub fn begin(&mut self, now: Micros) {
        (self.begun, self.week) = (now.to_string(), in_a_week(now));
    }

    /// Whether the text is what is expected, where `~KIND WORDS` is anything of a kind that stays the same.
    fn fits(&mut self, expected: &str, actual: &str) -> bool {
        let Some(hole) = expected.strip_prefix('~') else { return expected == actual };
        if let Some(known) = self.known.get(hole) {
            return known == actual;
        }
        let now = Micros::now().to_string();
        let recent = |time: &str| *self.begun <= *time && *time <= *now && time.len() == now.len();
        let fits = match hole.split(' ').next().unwrap_or_default() {
            "time" => recent(actual),
            "week" => {
                *self.week <= *actual && *actual <= *in_a_week(Micros::now()) && actual.len() == now.len()
            }
            "user" => {
                let time =
                    actual.strip_prefix("User initiated (").and_then(|rest| rest.strip_suffix(" GMT)"));
                // To the second.
                let begun = self.begun.get(..19).unwrap_or_default().replace('T', " ");
                time.is_some_and(|time| *begun <= *time && time.len() == 19)
            }
            "fingerprint" => actual.len() == 44 || actual.len() == 59,
            "private" => {
                actual.starts_with("-----BEGIN ") && actual.trim_end().ends_with(" PRIVATE KEY-----")
            }
            "public" => actual.starts_with("ssh-"),
            _ => true,
        };
        if fits {
            self.known.insert(hole.to_owned(), actual.to_owned());
        }
        fits
    }

    /// Compares an answer with what the model expects.
    ///
    /// # Errors
    /// Where they differ.
    pub fn compare(&mut self, expected: &Tree, actual: &Tree) -> Result<(), String> {
        if expected.name != actual.name {
            return Err(format!("<{}> where <{}> is expected", actual.name, expected.name));
        }
        if !self.fits(&expected.text, &actual.text) {
            return Err(format!(
                "{}: {:?} where {:?} is expected",
                expected.name, actual.text, expected.text
            ));
        }
        let (left, right) = (expected.sorted(), actual.sorted());
        for (expected, actual) in left.iter().zip(&right) {
            let name = &expected.name;
            self.compare(expected, actual).map_err(|problem| format!("{name}/{problem}"))?;
        }
        match left.len().cmp(&right.len()) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(format!("too much: {}", right[left.len()].show())),
            std::cmp::Ordering::Greater => Err(format!("missing: {}", left[right.len()].show())),
        }
    }
}
