//! `obole bench intake`: what a frame of a public stream costs that does not concern us, from its bytes to being dropped.
//!
//! A firehose brings hundreds of frames a second, and nearly none is an order. What drops them is [`surely_not`], before anything is
//! decoded; beside it stands the floor, one memmem search for the bot's name through the same bytes, and what decoding the frame would
//! cost instead. `--instructions` counts under callgrind, as the language bench does; by hand:
//!
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null obole bench intake --once --frame chatter --pass gate
//! ```
//!
//! and the same with `--pass none`; the difference of what both `Collected`, divided by `--frames`.

pub mod frames;

use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use clap::Args;
use memchr::memmem;

use super::callgrind::Callgrind;
use super::report::{Figures, Report, Target};
use super::{Asked, number, progress};
use crate::platform::bluesky;
use crate::platform::recorded::{Bots, surely_not};
use frames::{Frame, frames};

/// What the intake bench is asked.
#[derive(Debug, Clone, Args)]
pub struct IntakeArgs {
    #[command(flatten)]
    pub(super) asked: Asked,
    /// How many frames of each kind
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    frames: usize,
    /// How often each pass is timed; the median counts
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Count instructions under valgrind instead of seconds
    #[arg(long, conflicts_with_all = ["once", "rounds"])]
    instructions: bool,
    /// One pass over the frames of one kind, printing nothing: what is to be run under callgrind
    #[arg(long)]
    once: bool,
    /// With --once: which frames
    #[arg(long, value_name = "KIND", default_value = "chatter", requires = "once")]
    frame: Frame,
    /// With --once: what is done with them
    #[arg(long, value_name = "PASS", default_value = "gate", requires = "once")]
    pass: Pass,
}

/// What is done with every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pass {
    /// Nothing: what everything else costs
    None,
    /// It goes through the gate
    Gate,
    /// One search for the bot's name
    Memmem,
    /// It is decoded
    Decode,
}

impl Pass {
    fn as_str(self) -> &'static str {
        match self {
            Pass::None => "none",
            Pass::Gate => "gate",
            Pass::Memmem => "memmem",
            Pass::Decode => "decode",
        }
    }
}

/// P3: what dropping a frame may cost, in searches for one word.
const OVER_MEMMEM: f64 = 4.0;

/// How many frames are counted at most: under valgrind everything takes fifty times as long, and the counts do not scatter.
const MOST_FRAMES: usize = 1_000;

/// Our name in the bench.
const BOT: &str = "obole.example";

/// Measures. Nothing to report after `--once`.
pub(super) fn measure(args: &IntakeArgs) -> anyhow::Result<Option<Report>> {
    let gate = Gate { bots: Bots::everywhere(BOT), finder: memmem::Finder::new("@obole") };
    if args.once {
        // What is built at first use is no frame's cost.
        gate.pass_over(&frames(Frame::Order, args.asked.seed, 4), Pass::Gate);
        gate.pass_over(&frames(args.frame, args.asked.seed, args.frames), args.pass);
        return Ok(None);
    }
    ensure!(args.frames > 0 && args.rounds > 0, "there is nothing to measure: --frames and --rounds are at least 1");
    for kind in Frame::ALL {
        let of_kind = frames(kind, args.asked.seed, args.frames.min(MOST_FRAMES));
        let wrong = |frame: &Vec<u8>| kind.is_dropped().is_some_and(|dropped| surely_not(frame, &gate.bots).is_some() != dropped);
        ensure!(!of_kind.iter().any(wrong), "a frame of the kind {} is not dropped or passed as it should be", kind.as_str());
    }
    if args.instructions { count(args) } else { gate.time(args) }.map(Some)
}

struct Gate {
    bots: Bots,
    finder: memmem::Finder<'static>,
}

impl Gate {
    fn pass_over(&self, frames: &[Vec<u8>], pass: Pass) {
        for frame in frames {
            match pass {
                Pass::None => {}
                Pass::Gate => drop(black_box(surely_not(black_box(frame), &self.bots))),
                Pass::Memmem => drop(black_box(self.finder.find(black_box(frame)))),
                Pass::Decode => drop(black_box(bluesky::read_frame(black_box(frame)))),
            }
        }
    }

    fn time(&self, args: &IntakeArgs) -> anyhow::Result<Report> {
        let bar = progress(Frame::ALL.len())?;
        let mut rows = Vec::new();
        for kind in Frame::ALL {
            bar.set_message(kind.as_str());
            let frames = frames(kind, args.asked.seed, args.frames);
            let ns = |pass| median_ns(args.rounds, || self.pass_over(&frames, pass)) / number(frames.len());
            rows.push(row(kind, &frames, [ns(Pass::Gate), ns(Pass::Memmem), ns(Pass::Decode)]));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let about = format!(
            "Dropping {} frames of each kind (seed {}), medians of {} rounds, one thread, nanoseconds a frame",
            args.frames, args.asked.seed, args.rounds
        );
        Ok(report(about, rows))
    }
}

fn count(args: &IntakeArgs) -> anyhow::Result<Report> {
    let callgrind = Callgrind::find()?;
    let bar = progress(Frame::ALL.len())?;
    let (seed, so_many) = (args.asked.seed, args.frames.min(MOST_FRAMES));
    let mut rows = Vec::new();
    for kind in Frame::ALL {
        bar.set_message(kind.as_str());
        let run = |pass: Pass| {
            let (seed, frames) = (seed.to_string(), so_many.to_string());
            let (kind, pass) = (kind.as_str(), pass.as_str());
            callgrind.instructions(&["intake", "--once", "--seed", &seed, "--frames", &frames, "--frame", kind, "--pass", pass])
        };
        let start = run(Pass::None)?;
        let per_frame = |pass| anyhow::Ok((run(pass)? - start) / number(so_many));
        let costs = [per_frame(Pass::Gate)?, per_frame(Pass::Memmem)?, per_frame(Pass::Decode)?];
        rows.push(row(kind, &frames(kind, seed, so_many), costs));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(report(format!("Dropping {so_many} frames of each kind (seed {seed}), instructions a frame"), rows))
}

fn row(kind: Frame, frames: &[Vec<u8>], [gate, memmem, decode]: [f64; 3]) -> (String, Vec<f64>) {
    let bytes = number(frames.iter().map(Vec::len).sum()) / number(frames.len());
    (kind.as_str().to_owned(), vec![bytes, gate, memmem, decode, gate / memmem])
}

fn report(about: String, rows: Vec<(String, Vec<f64>)>) -> Report {
    let over = rows.iter().find(|(kind, _)| kind == Frame::Chatter.as_str()).and_then(|(_, figures)| figures.last()).copied();
    let what = "a post that does not concern us, times one memmem search";
    let targets = vec![Target::at_most("P3", what, over.unwrap_or(f64::NAN), OVER_MEMMEM)];
    let headings = vec!["bytes", "gate", "memmem", "decoded instead", "gate over memmem"];
    Report { about, figures: vec![Figures { of: "frame", headings, rows }], targets }
}

/// The median of so many runs, after one that warms up.
fn median_ns(rounds: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed().as_secs_f64() * 1e9
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times.get(rounds / 2).copied().unwrap_or(f64::NAN)
}
