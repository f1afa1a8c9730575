//! `obole language`: the words that are read, as tables; a language file checked word by word; a text tried with it.
//!
//! For people who bring a language and need not know Rust: `obole language check sv.toml` until it is content, then
//! `obole language try sv.toml "@obole #skicka 10 kr till @bob"`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use super::input::{read_file, read_stdin};
use super::reading::{ContextArgs, read_for_people};
use crate::exit::ExitCode;
use crate::language::{
    self, Campaigns, Channel, Command, Context, Language, LanguageSource, Platform, Reading, VocabularyError, ambiguous_marks,
    check_languages, languages, serve_languages, served_currencies, slang, try_language,
};
use crate::money::Currency;
use crate::terminal::{complain, say, say_aside, width};

/// What is wanted of the vocabularies.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct LanguageArgs {
    #[command(subcommand)]
    command: Option<Word>,
    /// Only one language, by its code
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Name every mistake in language files, and the words in them that would never be heard
    Check(CheckArgs),
    /// Say how a text is read with a language file added
    Try(TryArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Language files, each named after its code: sv.toml. One of a language that is served replaces it
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct TryArgs {
    /// The language file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The text of a post; without it, standard input is read
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Name the rule of the order language that decided
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    context: ContextArgs,
}

pub(super) fn language(args: &LanguageArgs) -> ExitCode {
    match &args.command {
        None => show(args),
        Some(Word::Check(args)) => check(args),
        Some(Word::Try(args)) => try_text(args),
    }
}

// -- the tables ------------------------------------------------------------------------------------------------------------

fn show(args: &LanguageArgs) -> ExitCode {
    let wanted = |language: &&Language| args.language.as_ref().is_none_or(|code| *code == language.code);
    let shown: Vec<&Language> = languages().iter().filter(wanted).collect();
    if shown.is_empty() {
        let codes: Vec<&str> = languages().iter().map(|language| language.code.as_str()).collect();
        let code = args.language.as_deref().unwrap_or_default();
        let error = anyhow::anyhow!("no language {code:?} is served; there are {}", codes.join(", "));
        return complain(&error, ExitCode::Usage);
    }
    if args.json {
        say(&listing(&shown).to_string());
        return ExitCode::Ok;
    }
    for (table, title) in [
        ("hashtags", "V1  Hashtags: the first four are verbs, the others roles"),
        ("words", "V2  Words around recipients, and those that make a verb no order"),
        ("phrases", "V3  Phrases next to the amount or after the last recipient"),
    ] {
        show_lists(title, table, &shown);
    }
    show_numbers(&shown);
    show_currencies();
    show_lists("V6  Answers in private messages", "replies", &shown);
    show_examples(&shown);
    ExitCode::Ok
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
    table.set_header(header);
    table
}

fn show_block(title: &str, table: &Table) {
    say(&format!("\n{title}\n{table}"));
}

/// One table of all languages: a row for each role and language that has words for it.
fn show_lists(title: &str, of_table: &str, shown: &[&Language]) {
    let one = shown.len() == 1;
    let mut drawn = table(if one { &["role", "words"] } else { &["role", "language", "words"] });
    let roles = shown.first().map(|language| language.lists.as_slice()).unwrap_or_default();
    for (_, role, _) in roles.iter().filter(|(in_table, _, _)| *in_table == of_table) {
        let with_words = shown.iter().filter(|language| !language.words(of_table, role).is_empty());
        for (row, language) in with_words.enumerate() {
            let name = if row == 0 { role } else { "" };
            let separator = if matches!(of_table, "phrases" | "replies") { ", " } else { "  " };
            let words = language.words(of_table, role).join(separator);
            match one {
                true => drawn.add_row([name, &words]),
                false => drawn.add_row([name, &language.code, &words]),
            };
        }
    }
    show_block(title, &drawn);
}

fn show_numbers(shown: &[&Language]) {
    let mut drawn = table(&["language", "number words", "scales (powers of ten)"]);
    let list = |words: &[(String, u32)]| words.iter().map(|(word, value)| format!("{word}={value}")).collect::<Vec<_>>().join("  ");
    for language in shown.iter().filter(|language| !language.numbers.is_empty() || !language.scales.is_empty()) {
        drawn.add_row([&language.code, &list(&language.numbers), &list(&language.scales)]);
    }
    show_block("V4  Amounts in words, refused with their digits as suggestion", &drawn);
}

fn show_currencies() {
    let mut drawn = table(&["code", "decimals", "symbols", "words"]);
    for served in served_currencies() {
        let code = format!("{}{}", served.currency, if served.any_case { "" } else { " (capitals only)" });
        drawn.add_row([code, served.currency.decimals().to_string(), served.symbols.join("  "), served.words.join("  ")]);
    }
    show_block("V5  Currencies", &drawn);
    let mut drawn = table(&["not served as such", "suggested"]);
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    let marks = ambiguous_marks().into_iter().map(|mark| (mark.codes, mark.mark));
    let slang = slang().into_iter().map(|slang| (slang.code.into_iter().collect(), slang.word));
    for (codes, word) in marks.chain(slang) {
        let codes = codes.iter().map(|code| code.code()).collect::<Vec<_>>().join(" or ");
        match rows.iter_mut().find(|(known, _)| *known == codes) {
            Some((_, words)) => words.push(word),
            None => rows.push((codes, vec![word])),
        }
    }
    for (codes, words) in rows {
        drawn.add_row([words.join("  "), codes]);
    }
    show_block("V5  Marks of several currencies, and slang", &drawn);
}

fn show_examples(shown: &[&Language]) {
    let mut drawn = table(&["language", "text", "is read as"]);
    for language in shown {
        let name = format!("{} {}", language.code, language.name);
        // One of each kind; the files may hold more.
        for (text, channel) in
            example_texts(language).into_iter().filter(|(_, _, first)| *first).map(|(text, channel, _)| (text, channel))
        {
            drawn.add_row([name.as_str(), text, &in_words(&read(text, channel))]);
        }
    }
    show_block("Examples, read just now", &drawn);
}

/// The examples of a language: text, channel, and whether it is the first of its kind.
fn example_texts(language: &Language) -> Vec<(&str, Channel, bool)> {
    let orders = language.example_orders.iter().enumerate().map(|(place, text)| (text.as_str(), Channel::Post, place == 0));
    let replies = language.example_replies.iter().enumerate().map(|(place, text)| (text.as_str(), Channel::Dm, place == 0));
    orders.chain(replies).collect()
}

fn read(text: &str, channel: Channel) -> Reading {
    let campaigns = Campaigns::new();
    let context = Context {
        channel,
        platform: Platform::X,
        bot: "obole",
        author: None,
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    language::read(text, &context)
}

fn in_words(reading: &Reading) -> String {
    match reading {
        Reading::Order(Command::Payment(order)) => {
            let handles: Vec<&str> = order.recipients.iter().map(|recipient| recipient.handle.as_str()).collect();
            let memo = order.memo.as_ref().map(|memo| format!(", memo {memo:?}")).unwrap_or_default();
            format!("{} {} to {}{memo}", order.kind.as_str(), order.total, handles.join(", "))
        }
        Reading::Order(Command::Cancel(_)) => "cancel".to_owned(),
        Reading::Reply(reply) => match &reply.reference {
            Some(code) => format!("reply {}, code {code}", reply.action.as_str()),
            None => format!("reply {}", reply.action.as_str()),
        },
        Reading::Rejected(rejection) => format!("{}: {}", rejection.code, rejection.code.meaning()),
        Reading::None(silence) => format!("nothing: {}", silence.meaning()),
    }
}

fn listing(shown: &[&Language]) -> Value {
    let languages: Vec<Value> = shown.iter().map(|language| language_value(language)).collect();
    let currencies = served_currencies().into_iter().map(|served| {
        json!({
            "code": served.currency.code(), "decimals": served.currency.decimals(), "any_case": served.any_case,
            "symbols": served.symbols, "words": served.words,
        })
    });
    let ambiguous = ambiguous_marks()
        .into_iter()
        .map(|mark| json!({ "mark": mark.mark, "codes": mark.codes.iter().map(|code| code.code()).collect::<Vec<_>>() }));
    let slang = slang().into_iter().map(|slang| json!({ "word": slang.word, "code": slang.code.map(Currency::code) }));
    json!({
        "languages": languages,
        "currencies": currencies.collect::<Vec<_>>(),
        "ambiguous": ambiguous.collect::<Vec<_>>(),
        "slang": slang.collect::<Vec<_>>(),
    })
}

fn language_value(language: &Language) -> Value {
    let mut value = json!({ "code": language.code, "name": language.name });
    for (table, role, words) in &language.lists {
        value[*table][*role] = json!(words);
    }
    let values = |words: &[(String, u32)]| {
        words.iter().map(|(word, number)| (word.clone(), (*number).into())).collect::<serde_json::Map<_, _>>()
    };
    value["numbers"] = values(&language.numbers).into();
    value["scales"] = values(&language.scales).into();
    let examples = example_texts(language).into_iter().map(|(text, channel, _)| {
        json!({ "text": text, "channel": channel_name(channel), "reading": language::json::to_value(&read(text, channel)) })
    });
    value["examples"] = examples.collect::<Vec<_>>().into();
    value
}

fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Post => "post",
        Channel::Dm => "dm",
    }
}

// -- files that are not ours yet ---------------------------------------------------------------------------------------------

/// Every mistake in the files, as far as they can be read.
fn mistakes(files: &[LanguageSource]) -> Vec<VocabularyError> {
    if let Err(faults) = check_languages(files).and_then(|()| serve_languages(files)) {
        return faults;
    }
    files.iter().flat_map(try_language).collect()
}

fn open(file: &Path) -> anyhow::Result<LanguageSource> {
    Ok(LanguageSource { file: file.display().to_string(), text: read_file(file)? })
}

fn check(args: &CheckArgs) -> ExitCode {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    for path in &args.files {
        match open(path) {
            Ok(file) => files.push(file),
            Err(error) => unreadable.push(error.to_string()),
        }
    }
    let found = mistakes(&files);
    if args.json {
        let unreadable = unreadable.iter().map(|message| json!({ "file": null, "line": null, "message": message }));
        let found = found.iter().map(|fault| {
            let line = Some(fault.line).filter(|line| *line > 0);
            json!({ "file": fault.file, "line": line, "message": fault.message })
        });
        let list: Vec<Value> = unreadable.chain(found).collect();
        let code = if list.is_empty() { ExitCode::Ok } else { ExitCode::Difference };
        say(&json!({ "ok": list.is_empty(), "mistakes": list }).to_string());
        return code;
    }
    for message in &unreadable {
        complain(&anyhow::anyhow!("{message}"), ExitCode::Difference);
    }
    for fault in &found {
        say_aside(&fault.to_string());
    }
    let count = unreadable.len() + found.len();
    if count > 0 {
        say_aside(&format!("{count} mistake{}", if count == 1 { "" } else { "s" }));
        return ExitCode::Difference;
    }
    for file in &files {
        summarise(file);
    }
    ExitCode::Ok
}

/// What a sound file brings, with its own examples read back.
fn summarise(file: &LanguageSource) {
    let code = Path::new(&file.file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(language) = languages().iter().find(|language| language.code == code) else { return };
    let count =
        |table: &str| language.lists.iter().filter(|(of, _, _)| *of == table).map(|(_, _, words)| words.len()).sum::<usize>();
    say(&format!(
        "{} can be used: {} ({code}), {} hashtags, {} words, {} phrases, {} number words, {} scales, {} replies; every one of them is heard",
        file.file,
        language.name,
        count("hashtags"),
        count("words"),
        count("phrases"),
        language.numbers.len(),
        language.scales.len(),
        count("replies"),
    ));
    let mut drawn = table(&["its example", "is read as"]);
    for (text, channel, _) in example_texts(language) {
        drawn.add_row([text, &in_words(&read(text, channel))]);
    }
    say(&drawn.to_string());
}

fn try_text(args: &TryArgs) -> ExitCode {
    let file = match open(&args.file) {
        Ok(file) => file,
        Err(error) => return complain(&error, ExitCode::Difference),
    };
    if let Err(faults) = serve_languages(&[file]) {
        for fault in &faults {
            say_aside(&fault.to_string());
        }
        say_aside("a text can be tried when the file has no mistakes");
        return ExitCode::Difference;
    }
    match args.text.clone().map_or_else(read_stdin, Ok) {
        Ok(text) => {
            read_for_people(&text, &args.context, args.explain);
            ExitCode::Ok
        }
        Err(error) => complain(&error, ExitCode::Difference),
    }
}
