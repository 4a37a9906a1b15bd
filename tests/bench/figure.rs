//! One line of a table.

/// A measured value, with what it is compared with.
#[derive(Clone, Debug)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// From the same run.
    pub baseline: Option<Baseline>,
    pub target: Option<Target>,
    /// What belongs to the value, such as its quantiles.
    pub note: String,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Baseline {
    pub name: String,
    /// In the figure's unit.
    pub value: f64,
}

/// What is to be reached.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(dead_code)] // parts choose
pub enum Target {
    /// So many times the baseline, or more.
    TimesAtLeast(f64),
    /// So many times the baseline, or less.
    TimesAtMost(f64),
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, baseline: None, target: None, note: String::new() }
    }

    pub fn beside(self, name: impl Into<String>, value: f64) -> Self {
        Self { baseline: Some(Baseline { name: name.into(), value }), ..self }
    }

    pub fn target(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// How many times the baseline.
    pub fn ratio(&self) -> Option<f64> {
        self.baseline.as_ref().map(|baseline| self.value / baseline.value)
    }

    /// Nothing where there is no target, or no baseline that it is a multiple of.
    pub fn reached(&self) -> Option<bool> {
        match self.target? {
            Target::TimesAtLeast(times) => self.ratio().map(|ratio| ratio >= times),
            Target::TimesAtMost(times) => self.ratio().map(|ratio| ratio <= times),
            Target::AtMost(most) => Some(self.value <= most),
            Target::AtLeast(least) => Some(self.value >= least),
        }
    }
}
