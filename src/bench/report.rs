//! Reports: tables of figures for people, one JSON object for programs, and whether the targets were met.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

use super::memory;
use crate::terminal::say;

/// A figure that has a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Which requirement it is, such as `P1`.
    pub name: &'static str,
    /// What is measured, with its unit.
    pub what: String,
    /// What was measured.
    pub figure: f64,
    /// What it is held against.
    pub bound: f64,
    /// On which side of the bound it has to be.
    pub side: Side,
}

/// Which side of its bound a figure has to be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// At the bound or below.
    AtMost,
    /// At the bound or above.
    AtLeast,
}

impl Side {
    fn sign(self) -> &'static str {
        match self {
            Side::AtMost => "<=",
            Side::AtLeast => ">=",
        }
    }
}

impl Target {
    /// Whether the figure keeps to its bound. What could not be measured does not.
    pub fn is_met(&self) -> bool {
        match self.side {
            Side::AtMost => self.figure <= self.bound,
            Side::AtLeast => self.figure >= self.bound,
        }
    }

    /// A figure that may be `bound` at most.
    pub fn at_most(name: &'static str, what: impl Into<String>, figure: f64, bound: f64) -> Self {
        Target { name, what: what.into(), figure, bound, side: Side::AtMost }
    }

    /// A figure that has to be `bound` at least.
    pub fn at_least(name: &'static str, what: impl Into<String>, figure: f64, bound: f64) -> Self {
        Target { name, what: what.into(), figure, bound, side: Side::AtLeast }
    }

    fn verdict(&self) -> &'static str {
        match (self.is_met(), self.side) {
            (true, _) => "ok",
            (false, Side::AtMost) => "over",
            (false, Side::AtLeast) => "under",
        }
    }
}

/// Figures of one kind: a name for each row, and a figure under each heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// What the rows are; the key in JSON.
    pub of: &'static str,
    /// One heading for each figure; in JSON with `_` between words.
    pub headings: Vec<&'static str>,
    /// The rows: a name, and the figures in the order of the headings.
    pub rows: Vec<(String, Vec<f64>)>,
}

/// All that a bench found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// What was measured and how, in one line for people.
    pub about: String,
    /// Tables of figures.
    pub figures: Vec<Figures>,
    /// What has a bound.
    pub targets: Vec<Target>,
}

impl Report {
    /// Whether every target is met.
    pub fn is_met(&self) -> bool {
        self.targets.iter().all(Target::is_met)
    }

    pub(super) fn print(&self, as_json: bool) {
        let peak = memory::peak_bytes();
        if as_json {
            say(&self.json(peak).to_string());
        } else {
            say(&self.text(peak));
        }
    }

    fn text(&self, peak: Option<u64>) -> String {
        let mut parts = vec![self.about.clone()];
        for figures in &self.figures {
            let names = std::iter::once(figures.of).chain(figures.headings.iter().copied());
            let rows = figures
                .rows
                .iter()
                .map(|(name, row)| std::iter::once(name.clone()).chain(row.iter().map(|figure| plain(*figure))).collect());
            parts.push(table(names.map(str::to_owned).collect(), rows, 1));
        }
        let rows = self.targets.iter().map(|target| {
            let Target { name, what, figure, bound, side } = target;
            let bound = format!("{} {}", side.sign(), plain(*bound));
            vec![(*name).to_owned(), what.clone(), plain(*figure), bound, target.verdict().to_owned()]
        });
        parts.push(table(["", "target", "figure", "bound", ""].map(str::to_owned).to_vec(), rows, 2));
        parts.push(match peak {
            Some(bytes) => format!("peak memory of this process: {} MB", bytes / 1_000_000),
            None => "peak memory: this system does not tell".to_owned(),
        });
        parts.join("\n\n")
    }

    fn json(&self, peak: Option<u64>) -> Value {
        let mut object = Map::new();
        object.insert("about".to_owned(), self.about.clone().into());
        for figures in &self.figures {
            let rows = figures.rows.iter().map(|(name, row)| {
                let fields =
                    figures.headings.iter().map(|heading| heading.replace(' ', "_")).zip(row.iter().map(|figure| json!(figure)));
                (name.clone(), Value::Object(fields.collect()))
            });
            object.insert(figures.of.replace(' ', "_"), Value::Object(rows.collect()));
        }
        let targets = self.targets.iter().map(|target| {
            let Target { name, what, figure, bound, side } = target;
            json!({ "name": name, "what": what, "figure": figure, "side": side.sign(), "bound": bound, "ok": target.is_met() })
        });
        object.insert("targets".to_owned(), targets.collect());
        object.insert("peak_memory_bytes".to_owned(), json!(peak));
        Value::Object(object)
    }
}

fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>, first_figure: usize) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header).add_rows(rows);
    for column in table.column_iter_mut().skip(first_figure) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// As many decimals as say something: 12345, 123.4, 1.23. What was not measured is a dash.
fn plain(figure: f64) -> String {
    if figure.is_nan() {
        return "-".to_owned();
    }
    let decimals = match figure.abs() {
        0.0..10.0 => 2,
        10.0..1000.0 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(figure: f64) -> Report {
        Report {
            about: "a sample".to_owned(),
            figures: vec![Figures {
                of: "class",
                headings: vec!["ns per post", "ratio"],
                rows: vec![("chatter".to_owned(), vec![12.34, 1234.5])],
            }],
            targets: vec![Target::at_most("P1", "chatter, times the floor", figure, 3.0)],
        }
    }

    #[test]
    fn a_target_is_met_up_to_its_bound_and_never_by_what_was_not_measured() {
        assert!(sample(3.0).is_met());
        assert!(!sample(3.01).is_met());
        assert!(!sample(f64::NAN).is_met());
        let share = |figure| Target::at_least("P8", "of one node's rate", figure, 0.85);
        assert!(share(0.85).is_met());
        assert_eq!(share(0.84).verdict(), "under");
        assert!(!share(f64::NAN).is_met());
    }

    #[test]
    fn people_and_programs_read_the_same_figures() {
        let text = sample(4.0).text(Some(5_000_000));
        for part in ["chatter", "12.3", "1234", "4.00", "<= 3.00", "over", "5 MB"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(sample(1.0).text(None).contains("does not tell"));
        let json = sample(4.0).json(Some(5));
        assert_eq!(json["class"]["chatter"]["ns_per_post"], 12.34);
        assert_eq!(json["targets"][0]["ok"], false);
        assert_eq!(json["peak_memory_bytes"], 5);
    }
}
