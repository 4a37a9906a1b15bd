//! A request's parameters as a tree: `Filter.1.Value.2=x` is `Filter`, `1`, `Value`, `2`.
//!
//! Decoders take nodes out of the tree; what is left at the end was not known to anyone. That makes
//! "unknown parameters are refused" a property of the structure instead of a list to keep.

use super::{Fault, FaultCode};

/// How many parameters one request may have; EC2's largest requests have a few thousand.
pub const MAX_PAIRS: usize = 10_000;
/// How many dots a name may have: `IpPermissions.1.UserIdGroupPairs.1.GroupId` has four.
const MAX_DEPTH: usize = 10;
const MAX_NAME: usize = 255;
/// Filters and the values of one filter, as EC2 limits them.
const MAX_FILTERS: i64 = 50;
const MAX_FILTER_VALUES: i64 = 200;

/// One `Filter.N` of a Describe request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    pub name: String,
    /// Any of these; `*` and `?` are wildcards.
    pub values: Vec<String>,
}

/// A parameter, or the start of several.
///
/// Ten thousand parameters of ten steps are a hundred thousand nodes, so a node is small: its name is the end of its
/// path, and its children are a list, in the order of their names.
#[derive(Default, Debug)]
pub struct Node {
    path: String,
    value: Option<String>,
    children: Vec<Node>,
}

/// The fault for a required parameter that is not there.
pub(super) fn missing(path: &str) -> Fault {
    FaultCode::MissingParameter.with(format!("The request must contain the parameter {path}"))
}

impl Node {
    /// Builds the tree.
    pub(super) fn read(pairs: &[(String, String)]) -> Result<Self, Fault> {
        if pairs.len() > MAX_PAIRS {
            return Err(
                FaultCode::InvalidRequest.with(format!("a request has at most {MAX_PAIRS} parameters"))
            );
        }
        pairs.iter().try_for_each(|(name, _)| check_name(name))?;
        let mut sorted: Vec<_> = pairs.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.split('.').cmp(b.split('.')));
        let mut root = Self::default();
        sorted.into_iter().try_for_each(|(name, value)| root.insert(name, value))?;
        Ok(root)
    }

    /// Names come in their order: a node is the last child there is, or a new one.
    fn insert(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let mut node = self;
        let mut ends: Vec<usize> = name.match_indices('.').map(|(at, _)| at).collect();
        ends.push(name.len());
        for end in ends {
            let path = &name[..end];
            if node.children.last().is_none_or(|last| last.path != path) {
                if node.children.is_empty() {
                    // Most nodes have one child.
                    node.children = Vec::with_capacity(1);
                }
                node.children.push(Self { path: path.to_owned(), ..Self::default() });
            }
            let last = node.children.len() - 1;
            node = &mut node.children[last];
        }
        if node.value.replace(value.to_owned()).is_some() {
            return Err(FaultCode::InvalidParameterValue
                .with(format!("The parameter {name} may only be specified once")));
        }
        Ok(())
    }

    /// The last step of the path.
    fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.children.binary_search_by(|child| child.name().cmp(name)).ok()
    }

    /// The dotted name.
    pub(super) fn path(&self) -> String {
        self.path.clone()
    }

    /// Takes out the child with one of these names; an empty node when there is none.
    pub(super) fn take(&mut self, names: &[&str]) -> Result<Self, Fault> {
        let mut found: Option<Self> = None;
        for name in names {
            if let Some(at) = self.position(name) {
                let node = self.children.remove(at);
                if let Some(other) = &found {
                    return Err(FaultCode::InvalidParameterCombination.with(format!(
                        "The parameters {} and {} may not be specified together",
                        other.path, node.path
                    )));
                }
                found = Some(node);
            }
        }
        let name = names.first().copied().unwrap_or_default();
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Ok(found.unwrap_or_else(|| Self { path, ..Self::default() }))
    }

    /// Whether nothing was given, an empty value included.
    fn is_absent(&self) -> bool {
        self.value.as_deref().is_none_or(str::is_empty) && self.children.iter().all(Self::is_absent)
    }

    /// Whether the parameter itself was given, with an empty value.
    pub(super) fn is_empty_text(&self) -> bool {
        self.value.as_deref() == Some("")
    }

    /// Refuses parameters that EC2 has and we do not, by name; dotted paths leave out list indexes.
    pub(super) fn refuse(&self, paths: &[&str]) -> Result<(), Fault> {
        paths.iter().try_for_each(|path| match self.find(path) {
            Some(found) => Err(FaultCode::UnsupportedOperation
                .with(format!("The parameter {} is not supported by Fogbank; leave it out", found.path))),
            None => Ok(()),
        })
    }

    fn find(&self, path: &str) -> Option<&Self> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let node = &self.children[self.position(first)?];
        match rest {
            None => (!node.is_absent()).then_some(node),
            Some(rest) => {
                let indexed = node.children.iter().filter(|child| is_index(child.name()));
                std::iter::once(node).chain(indexed).find_map(|node| node.find(rest))
            }
        }
    }

    /// The value as text; an empty one counts as absent. `X.1` and `X.Value` stand for `X`, as some
    /// clients send them.
    pub(super) fn text(&mut self) -> Result<Option<String>, Fault> {
        if self.value.is_none() && self.children.len() == 1 {
            return match self.children.pop() {
                Some(mut node) if is_index(node.name()) || node.name() == "Value" => {
                    self.path.clone_from(&node.path);
                    node.text()
                }
                Some(node) => Err(node.unknown()),
                None => Ok(None),
            };
        }
        self.finish()?;
        Ok(self.value.take().filter(|value| !value.is_empty()))
    }

    /// A list: `X.1`, `X.2`, from 0 or 1, with gaps; `X` alone is a list of one.
    pub(super) fn list<T>(
        mut self,
        limit: i64,
        required: bool,
        mut each: impl FnMut(&mut Self) -> Result<Option<T>, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut items = self.items()?;
        if i64::try_from(items.len()).unwrap_or(i64::MAX) > limit {
            return Err(FaultCode::InvalidParameterValue
                .with(format!("{} may have at most {limit} entries", self.path)));
        }
        let mut values = Vec::with_capacity(items.len());
        for item in &mut items {
            values.extend(each(item)?);
        }
        if required && values.is_empty() {
            return Err(missing(&self.path));
        }
        Ok(values)
    }

    fn items(&mut self) -> Result<Vec<Self>, Fault> {
        let mut items = Vec::new();
        if let Some(value) = self.value.take() {
            items.push(Self { path: self.path.clone(), value: Some(value), ..Self::default() });
        }
        let mut numbered = Vec::new();
        for node in std::mem::take(&mut self.children) {
            match node.name().parse::<u32>() {
                Ok(index) if is_index(node.name()) => numbered.push((index, node)),
                // `GroupIdSet.member.1` is how a few clients of other services write lists: unknown here.
                _ => return Err(node.unknown()),
            }
        }
        numbered.sort_by_key(|(index, _)| *index);
        if let Some(pair) = numbered.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(FaultCode::InvalidParameterValue
                .with(format!("The parameter {} may only be specified once", pair[1].1.path)));
        }
        items.extend(numbered.into_iter().map(|(_, node)| node));
        Ok(items)
    }

    /// A structure, or `None` when none of its members was given.
    pub(super) fn structure<T>(
        &mut self,
        decode: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        if self.is_absent() && self.children.is_empty() {
            return self.value.as_ref().map_or(Ok(None), |_| Err(self.unknown()));
        }
        if self.value.is_some() {
            return Err(self.unknown());
        }
        let value = decode(self)?;
        self.finish()?;
        Ok(Some(value))
    }

    /// The `Filter.N` list, each with a name that the action knows.
    pub(super) fn filters(&mut self, known: &[&str]) -> Result<Vec<Filter>, Fault> {
        self.take(&["Filter"])?.list(MAX_FILTERS, false, |node| {
            let name = node.take(&["Name"])?.string(Some(MAX_NAME), &[])?;
            let name = name.ok_or_else(|| missing(&format!("{}.Name", node.path)))?;
            let tag = name.starts_with("tag:") && name.len() > 4 && known.contains(&"tag:*");
            if !tag && (name.ends_with('*') || !known.contains(&name.as_str())) {
                return Err(FaultCode::InvalidParameterValue.with(format!("The filter '{name}' is invalid")));
            }
            // An empty value is a value here: tag:Name= finds tags whose value is empty.
            let values = node.take(&["Value"])?.list(MAX_FILTER_VALUES, false, |value| {
                let text = value.value.take().unwrap_or_default();
                value.finish().map(|()| Some(text))
            })?;
            node.finish()?;
            if values.is_empty() {
                return Err(FaultCode::InvalidParameterValue
                    .with(format!("The filter '{name}' needs at least one value")));
            }
            Ok(Some(Filter { name, values }))
        })
    }

    /// Refuses whatever has not been taken.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        self.children.first().map_or(Ok(()), |node| Err(node.unknown()))
    }

    fn unknown(&self) -> Fault {
        let mut node = self;
        while let (None, Some(child)) = (&node.value, node.children.first()) {
            node = child;
        }
        FaultCode::UnknownParameter.with(format!("The parameter {} is not recognized", node.path))
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    let steps = name.split('.').count();
    if name.len() > MAX_NAME || steps > MAX_DEPTH || name.split('.').any(str::is_empty) {
        let shown: String = name.chars().take(64).collect();
        return Err(FaultCode::UnknownParameter.with(format!("The parameter {shown} is not recognized")));
    }
    Ok(())
}

fn is_index(name: &str) -> bool {
    name.len() <= 6 && name.bytes().all(|b| b.is_ascii_digit())
}
