//! `obole parse`: says how a text is read, to people with the parts underlined, to programs one line for one line.

use std::io::{BufRead as _, BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::input::{open_file, read_file, read_stdin};
use super::reading::{ContextArgs, read_for_people};
use crate::exit::ExitCode;
use crate::language;
use crate::terminal::complain;

/// What is to be read.
#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    /// The text of a post; without it, standard input is read
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    text: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// One JSON object a line in, one out (order-language, section 10)
    #[arg(long, conflicts_with = "text")]
    json: bool,
    /// Name the rule of the order language that decided
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    context: ContextArgs,
}

pub(super) fn parse(args: &ParseArgs) -> ExitCode {
    let result = if args.json { answer_lines(args) } else { read_one(args) };
    // Only reading the input and writing the answer fail: a text that could not be read.
    result.unwrap_or_else(|error| complain(&error, ExitCode::Difference))
}

/// Streams: an answer is written as soon as its line is read.
fn answer_lines(args: &ParseArgs) -> anyhow::Result<ExitCode> {
    let input: Box<dyn std::io::BufRead> = match &args.file {
        Some(file) => Box::new(std::io::BufReader::new(open_file(file)?)),
        None => Box::new(std::io::stdin().lock()),
    };
    let mut output = BufWriter::new(std::io::stdout().lock());
    let mut code = ExitCode::Ok;
    let mut input = input;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes).context("cannot read the input")? == 0 {
            break;
        }
        let Some(answer) = language::json::answer_bytes(&bytes) else { continue };
        if answer.is_error {
            code = ExitCode::Difference;
        }
        if let Err(error) = writeln!(output, "{}", answer.line) {
            return closed(error);
        }
        // Whoever writes questions into a pipe may wait for each answer before writing the next.
        if args.file.is_none()
            && let Err(error) = output.flush()
        {
            return closed(error);
        }
    }
    match output.flush() {
        Ok(()) => Ok(code),
        Err(error) => closed(error),
    }
}

/// Whoever reads us has read enough.
fn closed(error: std::io::Error) -> anyhow::Result<ExitCode> {
    if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(ExitCode::Ok) } else { Err(error).context("cannot write the answer") }
}

fn read_one(args: &ParseArgs) -> anyhow::Result<ExitCode> {
    let text = match (&args.text, &args.file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => read_file(file)?,
        (None, None) => read_stdin()?,
    };
    read_for_people(&text, &args.context, args.explain);
    Ok(ExitCode::Ok)
}
