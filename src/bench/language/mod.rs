//! `obole bench language`: what reading a post costs, class by class, beside the floor over the same bytes.
//!
//! Nearly every post of a stream is chatter, so what is measured first is how cheaply it is passed over; then what an order costs; then
//! whether a hostile post can cost more than its length. Times are medians of several rounds. Instructions do not depend on who else uses
//! the machine: `--instructions` counts them by running this program under valgrind's callgrind, once for a pass over the posts and once
//! without, and taking the difference. By hand that is
//!
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null obole bench language --once --class order9 --pass read
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null obole bench language --once --class order9 --pass none
//! ```
//!
//! and the difference of what both `Collected`, divided by `--posts`.

pub mod corpus;
pub mod floor;
pub mod hostile;
mod instructions;
mod words;

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use memchr::memmem;

use super::report::{Figures, Report, Target};
use super::{Asked, number, progress};
use crate::language::{Campaigns, Channel, Context, Platform, read};
use crate::money::Currency;
use corpus::{Class, posts};
use floor::{Pass, memchr3_pass, memmem_pass};
use hostile::{CAUSES, FAMILIES, Family};

/// What the language bench is asked.
#[derive(Debug, Clone, Args)]
pub struct LanguageArgs {
    #[command(flatten)]
    pub(super) asked: Asked,
    /// How many posts of each class
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    posts: usize,
    /// How often each pass is timed; the median counts
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Count instructions under valgrind instead of seconds
    #[arg(long, conflicts_with_all = ["once", "rounds"])]
    instructions: bool,
    /// One pass over the posts of one class, printing nothing: what is to be run under callgrind
    #[arg(long)]
    once: bool,
    /// With --once: which posts
    #[arg(long, value_name = "CLASS", default_value = "chatter", requires = "once")]
    class: Class,
    /// With --once: what is done with them
    #[arg(long, value_name = "PASS", default_value = "read", requires = "once")]
    pass: Pass,
    /// With --once: one post of this hostile family instead, by its number
    #[arg(long, value_name = "N", requires = "once", value_parser = clap::value_parser!(u8).range(0..40))]
    family: Option<u8>,
    /// With --family: how long it is
    #[arg(long, value_name = "BYTES", default_value_t = LENGTH, requires = "family")]
    bytes: usize,
}

/// The length of hostile posts that P2 speaks of.
const LENGTH: usize = 10_000;

/// How many times the instructions twice the length may take. Linear is 2, quadratic would be 4; the room is for tables that grow.
const DOUBLED: f64 = 2.5;

/// The longest that a post of [`LENGTH`] may take, in milliseconds (P2).
const LONGEST_MS: f64 = 5.0;

/// Measures. Nothing to report after `--once`.
pub(super) fn measure(args: &LanguageArgs) -> anyhow::Result<Option<Report>> {
    let bench = Bench::new();
    if args.once {
        bench.pass_once(args);
        return Ok(None);
    }
    ensure!(args.posts > 0 && args.rounds > 0, "there is nothing to measure: --posts and --rounds are at least 1");
    bench.check_classes(args)?;
    if args.instructions { instructions::count(args).map(Some) } else { bench.time(args).map(Some) }
}

/// What posts are read with.
struct Bench {
    campaigns: Campaigns,
    finder: memmem::Finder<'static>,
}

impl Bench {
    fn new() -> Bench {
        let mut campaigns = Campaigns::new();
        campaigns.insert("telethon", Some("afm_telethon"));
        for cause in 0..CAUSES {
            campaigns.insert(&format!("cause{cause}"), Some("wateraid"));
        }
        Bench { campaigns, finder: memmem::Finder::new("@obole") }
    }

    fn context(&self, channel: Channel) -> Context<'_> {
        Context {
            channel,
            platform: Platform::X,
            bot: "obole",
            author: Some("alice"),
            is_repost: false,
            campaigns: &self.campaigns,
            currency: Currency::EUR,
        }
    }

    fn pass_over(&self, posts: &[String], channel: Channel, pass: Pass) {
        let context = self.context(channel);
        for post in posts {
            match pass {
                Pass::None => {}
                Pass::Read => drop(black_box(read(black_box(post), &context))),
                Pass::Memchr3 => memchr3_pass(post),
                Pass::Memmem => memmem_pass(&self.finder, post),
            }
        }
    }

    fn pass_once(&self, args: &LanguageArgs) {
        // The tables are compiled at first use, which is no post's cost.
        self.pass_over(&posts(Class::Order4, args.asked.seed, 4), Channel::Post, Pass::Read);
        let (posts, channel) = match args.family.and_then(|number| FAMILIES.get(usize::from(number))) {
            Some(family) => (vec![family.write(args.bytes)], family.channel),
            None => (posts(args.class, args.asked.seed, args.posts), args.class.channel()),
        };
        self.pass_over(&posts, channel, args.pass);
    }

    /// A figure about orders has to be about orders.
    fn check_classes(&self, args: &LanguageArgs) -> anyhow::Result<()> {
        for class in Class::ALL {
            let context = self.context(class.channel());
            for post in posts(class, args.asked.seed, args.posts.min(1000)) {
                let reading = read(&post, &context);
                ensure!(class.keeps(&reading), "a post of the class {} is read as something else: {post:?}", class.as_str());
            }
        }
        Ok(())
    }

    fn time(&self, args: &LanguageArgs) -> anyhow::Result<Report> {
        let bar = progress(Class::ALL.len() + FAMILIES.len())?;
        let mut classes = Vec::new();
        for class in Class::ALL {
            bar.set_message(class.as_str());
            classes.push((class.as_str().to_owned(), self.time_class(class, args)));
            bar.inc(1);
        }
        let mut families = Vec::new();
        for family in FAMILIES {
            bar.set_message(family.name);
            families.push((family.name.to_owned(), self.time_family(family, args.rounds)));
            bar.inc(1);
        }
        bar.finish_and_clear();
        // The ratios are shown; a bound that fails when somebody else uses the machine proves nothing, so that one is on instructions.
        let slowest = families.iter().max_by(|(_, one), (_, other)| one[1].total_cmp(&other[1]));
        let targets =
            slowest.map(|(name, times)| Target::at_most("P2", format!("the slowest 10 kB ({name}), ms"), times[1], LONGEST_MS));
        let headings = vec!["bytes", "posts per second", "ns per post", "memchr3 ns", "memmem ns", "over memchr3"];
        let lengths = vec!["5 kB ms", "10 kB ms", "32 kB ms", "10 over 5 kB", "32 over 10 kB"];
        let LanguageArgs { posts, rounds, asked, .. } = args;
        Ok(Report {
            about: format!("Reading {posts} posts of each class (seed {}), medians of {rounds} rounds, one thread", asked.seed),
            figures: vec![
                Figures { of: "class", headings, rows: classes },
                Figures { of: "hostile family", headings: lengths, rows: families },
            ],
            targets: targets.into_iter().collect(),
        })
    }

    fn time_class(&self, class: Class, args: &LanguageArgs) -> Vec<f64> {
        let posts = posts(class, args.asked.seed, args.posts);
        let count = number(posts.len());
        let ns = |pass| {
            let pass = || self.pass_over(&posts, class.channel(), pass);
            median(args.rounds, pass).as_secs_f64() * 1e9 / count
        };
        let (read, memchr3, memmem) = (ns(Pass::Read), ns(Pass::Memchr3), ns(Pass::Memmem));
        let bytes = number(posts.iter().map(String::len).sum()) / count;
        vec![bytes, 1e9 / read, read, memchr3, memmem, read / memchr3]
    }

    fn time_family(&self, family: Family, rounds: usize) -> Vec<f64> {
        let [half, whole, most] = [LENGTH / 2, LENGTH, 32_768].map(|bytes| {
            let posts = [family.write(bytes)];
            median(rounds, || self.pass_over(&posts, family.channel, Pass::Read)).as_secs_f64() * 1e3
        });
        vec![half, whole, most, whole / half, most / whole]
    }
}

/// The median of so many runs, after one that warms up.
fn median(rounds: usize, mut run: impl FnMut()) -> Duration {
    run();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(rounds / 2).copied().unwrap_or_default()
}
