//! Instructions: what each class and each hostile family costs, counted under callgrind.

use super::corpus::Class;
use super::floor::Pass;
use super::hostile::FAMILIES;
use super::{DOUBLED, LENGTH, LanguageArgs};
use crate::bench::callgrind::Callgrind;
use crate::bench::report::{Figures, Report, Target};
use crate::bench::{number, progress};

/// How many posts are counted at most: under valgrind everything takes fifty times as long, and the counts do not scatter.
const MOST_POSTS: usize = 1_000;

/// P1: what chatter may cost, in passes of memchr3.
const CHATTER_OVER_MEMCHR3: f64 = 3.0;

/// P1: what chatter with hashtags may cost.
const HASHTAGS: f64 = 5_000.0;

/// P2: what an order may cost.
const ORDER: f64 = 15_000.0;

/// Counts what each class and each hostile family costs.
pub(super) fn count(args: &LanguageArgs) -> anyhow::Result<Report> {
    let callgrind = Runs { callgrind: Callgrind::find()?, seed: args.asked.seed, posts: args.posts.min(MOST_POSTS) };
    let bar = progress(Class::ALL.len() + FAMILIES.len())?;
    let mut classes = Vec::new();
    let mut targets = Vec::new();
    for class in Class::ALL {
        bar.set_message(class.as_str());
        let [read, memchr3, memmem] = callgrind.class(class)?;
        targets.extend(target(class, read, memchr3));
        classes.push((class.as_str().to_owned(), vec![read, memchr3, memmem, read / memchr3]));
        bar.inc(1);
    }
    let mut families = Vec::new();
    for (index, family) in FAMILIES.iter().enumerate() {
        bar.set_message(family.name);
        let [half, whole] = [LENGTH / 2, LENGTH].map(|bytes| callgrind.family(index, bytes));
        let (half, whole) = (half?, whole?);
        families.push((family.name.to_owned(), vec![half, whole, whole / number(LENGTH), whole / half]));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let steepest = families.iter().max_by(|(_, one), (_, other)| one[3].total_cmp(&other[3]));
    targets.extend(
        steepest.map(|(name, figures)| Target::at_most("P2", format!("10 kB over 5 kB ({name}), times"), figures[3], DOUBLED)),
    );
    let headings = vec!["instructions per post", "memchr3", "memmem", "over memchr3"];
    let lengths = vec!["5 kB", "10 kB", "per byte", "10 over 5 kB"];
    Ok(Report {
        about: format!("Instructions of reading {} posts of each class (seed {})", callgrind.posts, args.asked.seed),
        figures: vec![
            Figures { of: "class", headings, rows: classes },
            Figures { of: "hostile family", headings: lengths, rows: families },
        ],
        targets,
    })
}

/// What is required of a class; orders of more words than fifteen, or to many people, are shown and have no bound of their own.
fn target(class: Class, read: f64, memchr3: f64) -> Option<Target> {
    let (name, what, figure, bound) = match class {
        Class::Chatter => ("P1", "chatter, times one memchr3 pass", read / memchr3, CHATTER_OVER_MEMCHR3),
        Class::Hashtags => ("P1", "chatter with hashtags, instructions", read, HASHTAGS),
        Class::Order4 => ("P2", "order of 4 words, instructions", read, ORDER),
        Class::Order9 => ("P2", "order of 9 words, instructions", read, ORDER),
        Class::Order15 => ("P2", "order of 15 words, instructions", read, ORDER),
        Class::Stream | Class::Talk | Class::NearMiss | Class::Order25 | Class::Several | Class::Reply => return None,
    };
    Some(Target::at_most(name, what, figure, bound))
}

/// Runs of this bench under callgrind.
struct Runs {
    callgrind: Callgrind,
    seed: u64,
    posts: usize,
}

impl Runs {
    /// Instructions per post: read, and the two floors.
    fn class(&self, class: Class) -> anyhow::Result<[f64; 3]> {
        let run = |pass: Pass| {
            let posts = self.posts.to_string();
            self.run(&["--class", class.as_str(), "--posts", &posts, "--pass", pass.as_str()])
        };
        let start = run(Pass::None)?;
        let per_post = |pass| anyhow::Ok((run(pass)? - start) / number(self.posts));
        Ok([per_post(Pass::Read)?, per_post(Pass::Memchr3)?, per_post(Pass::Memmem)?])
    }

    /// Instructions of reading one post of a hostile family.
    fn family(&self, index: usize, bytes: usize) -> anyhow::Result<f64> {
        let run = |pass: Pass| {
            let (index, bytes) = (index.to_string(), bytes.to_string());
            self.run(&["--family", &index, "--bytes", &bytes, "--pass", pass.as_str()])
        };
        Ok(run(Pass::Read)? - run(Pass::None)?)
    }

    /// The instructions of one run of this program with `--once`.
    fn run(&self, words: &[&str]) -> anyhow::Result<f64> {
        let seed = self.seed.to_string();
        let words: Vec<&str> = ["language", "--once", "--seed", &seed].iter().chain(words).copied().collect();
        self.callgrind.instructions(&words)
    }
}
