//! Describe calls with filters, ids and pages.

use crate::dice::Dice;

use super::call::Call;
use super::history::{History, refused};
use super::kinds::KINDS;
use super::reads::Kind;
use super::steps::Chooser;
use super::tree::{Tree, node};
use super::world::World;

impl History<'_> {
    /// A Describe with filters, ids or pages.
    pub fn read(&mut self, dice: &mut Dice) -> Result<(), String> {
        let who = dice.below(2);
        // What fills several pages is asked for by itself, now and then: filters leave little of it.
        let more = |kind: &&Kind| {
            kind.pages.map_or(0, |(least, _)| kind.rows(&self.world, who).len() as i64 - least)
        };
        let fullest = KINDS.iter().max_by_key(more).filter(|kind| more(kind) > 0);
        let walked = fullest.filter(|_| dice.once_in(2));
        let narrowed: Vec<&Kind> = KINDS.iter().filter(|kind| !kind.filters.is_empty()).collect();
        let kind = walked.unwrap_or_else(|| *dice.pick(&narrowed));
        let mut call = Call::new(who, kind.action);
        if kind.action == "DescribeKeyPairs" {
            call.params.set("IncludePublicKey", "true");
        }
        match walked.and_then(|kind| kind.pages) {
            Some((least, _)) => call.params.set("MaxResults", least),
            None => self.narrow(kind, &mut call, dice),
        }
        let mut rows = Vec::new();
        let mut pages = 0;
        loop {
            let (reply, tree) = self.ask(&call);
            let outcome = tree.at("Errors/Error/Code").to_owned();
            self.told.push(format!("account {who}: {:?} {outcome}", call.pairs()));
            let expected = match kind.select(&self.world, &call) {
                Ok(expected) => expected,
                Err(faults) => return refused(&reply, &outcome, &faults.0),
            };
            let page = kind.told(&tree);
            let most = call.params.number("MaxResults").unwrap_or(i64::MAX);
            let full = i64::try_from(page.len()).unwrap() == most;
            rows.extend(page.clone());
            pages += 1;
            let token = tree.at("nextToken").to_owned();
            if token.is_empty() || pages > 100 {
                let all = node(kind.list, expected);
                let compared = self.world.learned.compare(&all, &node(kind.list, rows));
                return compared.map_err(|problem| format!("{call:?}, {pages} pages: {problem}"));
            }
            if !full {
                return Err(format!("{call:?}: a page of {} where {most} are asked for", page.len()));
            }
            call.params.0.retain(|(name, _)| name != "NextToken");
            call.params.set("NextToken", token);
            if dice.once_in(6) {
                return self.strange_token(&call, dice, kind.filters.is_empty());
            }
        }
    }

    /// A token is good for the filters that it was made for.
    fn strange_token(&mut self, call: &Call, dice: &mut Dice, plain: bool) -> Result<(), String> {
        let mut call = call.clone();
        match dice.below(2) {
            0 if !plain => call = call.with("Filter.40.Name", "tag:x").with("Filter.40.Value", "y"),
            _ => call
                .params
                .0
                .iter_mut()
                .filter(|(name, _)| name == "NextToken")
                .for_each(|(_, token)| token.push('A')),
        }
        let (reply, tree) = self.ask(&call);
        let outcome = tree.at("Errors/Error/Code").to_owned();
        self.told.push(format!("account {}: {:?} {outcome}", call.who, call.pairs()));
        refused(&reply, &outcome, &["InvalidNextToken"])
    }

    fn narrow(&self, kind: &Kind, call: &mut Call, dice: &mut Dice) {
        let rows = kind.rows(&self.world, call.who);
        let filters = [0, 0, 1, 1, 2][dice.below(5)];
        for index in 1..=filters {
            let (name, values) = filter(kind, &rows, &self.world, dice);
            call.params.set(format!("Filter.{index}.Name"), name);
            for (at, value) in values.iter().enumerate() {
                call.params.set(format!("Filter.{index}.Value.{}", at + 1), value);
            }
        }
        if !kind.id.1.is_empty() && dice.once_in(4) {
            let (before, theme) = (&self.calls[..], self.theme);
            let mut chooser = Chooser { world: &self.world, dice, who: call.who, before, theme };
            let ids: Vec<String> = (0..chooser.dice.below(2) + 1).map(|_| chooser.id(kind.id.2)).collect();
            let listed = chooser.listed(call.clone(), kind.id.1, &ids);
            *call = listed;
        }
        let many = kind.pages.is_some_and(|(least, _)| i64::try_from(rows.len()).unwrap() > least);
        if let Some((least, most)) = kind.pages.filter(|_| many || dice.once_in(2)) {
            let limit =
                [least, least, least, least, least, least + 1, most, least - 1, most + 1][dice.below(9)];
            call.params.set("MaxResults", limit);
        }
    }
}

/// A filter with values that some of the rows have, or not quite.
fn filter(kind: &Kind, rows: &[Tree], world: &World, dice: &mut Dice) -> (String, Vec<String>) {
    if dice.once_in(15) {
        let bad = *dice.pick(&["no-such-filter", "tag:", "tag:*x", "Domain"]);
        let values = if dice.once_in(2) { vec!["x".into()] } else { Vec::new() };
        // Every key is a tag's.
        return if bad == "tag:*x" { ("tag-nothing".into(), values) } else { (bad.into(), values) };
    }
    let (name, path) = *dice.pick(kind.filters);
    let (name, mut known) = match dice.below(4) {
        0 => {
            let key = world.tags.first().map_or("Name", |tag| &tag.key).to_owned();
            (format!("tag:{key}"), world.tags.iter().map(|tag| tag.value.clone()).collect::<Vec<_>>())
        }
        1 if kind.action != "DescribeTags" => {
            ("tag-key".to_owned(), world.tags.iter().map(|tag| tag.key.clone()).collect())
        }
        _ => (name.to_owned(), rows.iter().flat_map(|row| row.all(path)).collect()),
    };
    known.push("none".into());
    let one = dice.pick(&known).clone();
    let head: String = one.chars().take(one.chars().count() / 2).collect();
    let value = match dice.below(8) {
        0 => format!("{head}*"),
        1 => "*".into(),
        2 => format!("?{}", one.chars().skip(1).collect::<String>()),
        3 => one.to_uppercase(),
        4 => format!("*{}", one.chars().skip(head.chars().count()).collect::<String>()),
        _ => one,
    };
    let more = if dice.once_in(3) { vec![dice.pick(&known).clone()] } else { Vec::new() };
    (name, [vec![value], more].concat())
}
