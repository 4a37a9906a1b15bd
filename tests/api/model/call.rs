//! A call as the client means it, and the model's own reading of its parameters.

/// Codes of EC2.
pub type Code = &'static str;

pub const COMBINATION: Code = "InvalidParameterCombination";
pub const MISSING: Code = "MissingParameter";
pub const VALUE: Code = "InvalidParameterValue";

/// Pairs of a form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Params(pub Vec<(String, String)>);

/// One call of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Which of the history's accounts.
    pub who: usize,
    pub action: &'static str,
    pub params: Params,
    /// The code that a mistake in the form itself gets, whatever else is wrong: it is not understood.
    pub spoilt: Option<Code>,
}

impl Params {
    pub fn set(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.push((name.into(), value.to_string()));
    }

    /// A parameter that is there and not empty.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(given, value)| given == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.one(name).is_some()
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.one(name).map(|text| text.parse().unwrap())
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.one(name).map(|text| matches!(text, "true" | "True" | "1"))
    }

    /// The values of `name.N`, by N; those of `name` alone before.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.entries(name).into_iter().filter(|value| !value.is_empty()).collect()
    }

    /// The same with empty ones, which filters look for.
    pub fn entries(&self, name: &str) -> Vec<String> {
        let alone = self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone());
        let mut rest: Vec<(u32, String)> = Vec::new();
        for (given, value) in &self.0 {
            let index = given.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
            if let Some(index) = index.and_then(|index| index.parse().ok()) {
                rest.push((index, value.clone()));
            }
        }
        rest.sort();
        alone.into_iter().chain(rest.into_iter().map(|(_, value)| value)).collect()
    }

    /// What is within `name.N`, by N.
    pub fn structures(&self, name: &str) -> Vec<Self> {
        let mut all: Vec<(u32, Self)> = Vec::new();
        for (given, value) in &self.0 {
            let within = given.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')?.split_once('.'));
            let Some((index, member)) = within else { continue };
            let Ok(index) = index.parse::<u32>() else { continue };
            if !all.iter().any(|(known, _)| *known == index) {
                all.push((index, Self::default()));
            }
            let (_, params) = all.iter_mut().find(|(known, _)| *known == index).unwrap();
            params.set(member, value);
        }
        all.sort_by_key(|(index, _)| *index);
        all.into_iter().map(|(_, params)| params).collect()
    }

    /// The request as a client token means it: in any order, and not whether it is a dry run.
    pub fn meaning(&self) -> Vec<(String, String)> {
        let mut pairs = self.0.clone();
        pairs.retain(|(name, _)| name != "DryRun");
        pairs.sort();
        pairs
    }
}

impl Call {
    pub fn new(who: usize, action: &'static str) -> Self {
        Self { who, action, params: Params::default(), spoilt: None }
    }

    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.params.set(name, value);
        self
    }

    pub fn dry_run(&self) -> bool {
        self.params.flag("DryRun") == Some(true)
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let given = self.params.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        std::iter::once(("Action", self.action)).chain(given).collect()
    }
}

/// All that is wrong with a request: EC2 names one of it, and does not say which.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults(pub Vec<Code>);

impl Faults {
    pub fn add(&mut self, code: Code) {
        self.0.push(code);
    }

    pub fn add_if(&mut self, wrong: bool, code: Code) {
        if wrong {
            self.add(code);
        }
    }

    /// The value, or its fault noted.
    pub fn note<T>(&mut self, result: Result<T, Code>) -> Option<T> {
        result.map_err(|code| self.add(code)).ok()
    }

    /// The value, or its faults noted.
    pub fn note_all<T>(&mut self, result: Result<T, Self>) -> Option<T> {
        result.map_err(|faults| self.0.extend(faults.0)).ok()
    }

    pub fn done(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl From<Code> for Faults {
    fn from(code: Code) -> Self {
        Self(vec![code])
    }
}
