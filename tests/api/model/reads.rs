//! What Describe actions tell: everything of an account, and what filters, ids and pages leave of it.

use super::call::{COMBINATION, Call, Code, Faults, VALUE};
use super::tree::{Tree, leaf, list, node};
use super::world::World;

/// A Describe action.
pub struct Kind {
    pub action: &'static str,
    /// The list in its answer.
    pub list: &'static str,
    /// The element with the id, the parameter that takes ids, and what an id begins with.
    pub id: (&'static str, &'static str, &'static str),
    pub absent: Code,
    /// The least and most of a page; `None` without pages.
    pub pages: Option<(i64, i64)>,
    /// Filters and where in an item they look.
    pub filters: &'static [(&'static str, &'static str)],
    pub all: fn(&World, usize) -> Vec<Vec<Tree>>,
}

impl Kind {
    /// Every row of an account, of instances without their reservations.
    pub fn rows(&self, world: &World, who: usize) -> Vec<Tree> {
        (self.all)(world, who).into_iter().map(|row| node("item", row)).collect()
    }

    /// The answer that has these rows.
    pub fn answer(&self, world: &World, rows: Vec<Tree>) -> Vec<Tree> {
        if self.action != "DescribeInstances" {
            return vec![node(self.list, rows)];
        }
        let reservation = |row: &Tree| {
            let one = world.instances.iter().find(|one| one.id == row.at("instanceId")).unwrap();
            (one.reservation.clone(), world.accounts[one.who].id.clone())
        };
        let mut ids: Vec<_> = rows.iter().map(&reservation).collect();
        ids.sort();
        ids.dedup();
        let item = |(id, owner): &(String, String)| {
            let of_it = rows.iter().filter(|row| reservation(row).0 == *id);
            vec![
                leaf("reservationId", id),
                leaf("ownerId", owner),
                list("groupSet", Vec::new()),
                node("instancesSet", of_it.cloned().collect()),
            ]
        };
        vec![list(self.list, ids.iter().map(item).collect())]
    }

    /// The rows that an answer has.
    pub fn told(&self, reply: &Tree) -> Vec<Tree> {
        let items = reply.items(self.list).into_iter();
        match self.action {
            "DescribeInstances" => items.flat_map(|one| one.items("instancesSet")).cloned().collect(),
            _ => items.cloned().collect(),
        }
    }

    /// What is left of the rows by a request's ids and filters.
    pub fn select(&self, world: &World, call: &Call) -> Result<Vec<Tree>, Faults> {
        let mut rows = self.rows(world, call.who);
        let mut faults = Faults::default();
        let ids = if self.id.1.is_empty() { Vec::new() } else { call.params.list(self.id.1) };
        for id in &ids {
            faults.add_if(!rows.iter().any(|row| row.at(self.id.0) == id), self.absent);
        }
        let limit = call.params.number("MaxResults");
        let (least, most) = self.pages.unwrap_or((1, 1000));
        faults.add_if(limit.is_some_and(|limit| limit < least || limit > most), VALUE);
        let both = self.action == "DescribeInstances" && limit.is_some() && !ids.is_empty();
        faults.add_if(both, COMBINATION);
        rows.retain(|row| ids.is_empty() || ids.iter().any(|id| row.at(self.id.0) == id));
        for filter in call.params.structures("Filter") {
            let (name, values) = (filter.one("Name").unwrap_or_default().to_owned(), filter.entries("Value"));
            faults.add_if(values.is_empty() || !self.knows(&name), VALUE);
            let matches = |row: &Tree| {
                let own = self.values(world, call.who, row, &name);
                own.iter().any(|own| values.iter().any(|pattern| like(pattern, own)))
            };
            rows.retain(matches);
        }
        faults.done().map(|()| rows)
    }

    fn knows(&self, name: &str) -> bool {
        let tags = (name.starts_with("tag:") && name.len() > 4)
            || (name == "tag-key" && self.action != "DescribeTags");
        tags || self.filters.iter().any(|(known, _)| *known == name)
    }

    /// What a row has to say to a filter.
    fn values(&self, world: &World, who: usize, row: &Tree, name: &str) -> Vec<String> {
        if let Some((_, path)) = self.filters.iter().find(|(known, _)| *known == name) {
            return row.all(path);
        }
        let tags = match self.action {
            "DescribeTags" => vec![(row.at("key").to_owned(), row.at("value").to_owned())],
            _ => world.tags_by(who, row.at(self.id.0)),
        };
        match name.strip_prefix("tag:") {
            Some(key) => tags.into_iter().filter(|(own, _)| own == key).map(|(_, value)| value).collect(),
            None => tags.into_iter().map(|(key, _)| key).collect(),
        }
    }
}

/// "* matches zero or more characters, ? matches zero or one" — one, in fact; `\` takes the next one as it is.
fn like(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    let begins = |wanted: char, rest: &str| text.strip_prefix(wanted).is_some_and(|text| like(rest, text));
    match (first, rest.chars().next()) {
        ('*', _) => {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| like(rest, &text[at..]))
        }
        ('?', _) => text.chars().next().is_some_and(|one| like(rest, &text[one.len_utf8()..])),
        ('\\', Some(next)) => begins(next, &rest[next.len_utf8()..]),
        (one, _) => begins(one, rest),
    }
}
