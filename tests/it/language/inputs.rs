//! From the bytes that a fuzzer makes up to what the language is asked: the first bytes choose the circumstances, the rest is the text.
//! So a file of the corpus can be read by eye, and a text can be made a file of the corpus by putting zeros before it.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use obole::language::{Campaigns, Channel, Context, Platform, languages, served_currencies};
use obole::money::Currency;

/// A handle of Nostr.
const NPUB: &str = "npub1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

static CAMPAIGNS: LazyLock<[Campaigns; 4]> = LazyLock::new(|| {
    let registered: [&[(&str, Option<&str>)]; 4] = [
        &[("telethon", Some("afm_telethon")), ("waterweek", Some("wateraid")), ("floods", None)],
        &[("telethon", Some("afm_telethon"))],
        &[],
        &[("Eté", Some("bob")), ("送金箱", Some("alice")), ("send", Some("carol"))],
    ];
    registered.map(|pairs| pairs.iter().copied().collect())
});

static CURRENCIES: LazyLock<Vec<Currency>> =
    LazyLock::new(|| served_currencies().into_iter().map(|served| served.currency).collect());

/// A text with the circumstances it is read in.
#[derive(Debug)]
pub(super) struct TextInput {
    /// The post or message.
    pub(super) text: String,
    /// Which of the places that suit are given some more digits, counted from the start and on again from there.
    pub(super) place: u16,
    /// Those digits.
    pub(super) digits: u8,
    platform: Platform,
    bot: &'static str,
    author: Option<&'static str>,
    is_repost: bool,
    campaigns: &'static Campaigns,
    currency: Currency,
}

impl TextInput {
    /// Reads the header with the help of `arbitrary`, which takes zeros where the bytes end.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<TextInput> {
        let mut source = Unstructured::new(bytes);
        let (platform, bots) = *source.choose(&[
            (Platform::X, ["obole", "obole", "obole"]),
            (Platform::Mastodon, ["obole@pay.example", "obole", "o.b@pay.example"]),
            (Platform::Bluesky, ["obole.example", "obole.bsky.social", "obole"]),
            (Platform::Nostr, [NPUB, NPUB, "obole"]),
        ])?;
        let bot = *source.choose(&bots)?;
        let author = *source.choose(&[Some("alice"), None, Some("alice@m.example"), Some("obole"), Some("a.example")])?;
        let campaigns = source.choose(&*CAMPAIGNS)?;
        let currency = *source.choose(&CURRENCIES)?;
        let is_repost = source.arbitrary::<u8>()? == u8::MAX;
        let place = source.arbitrary()?;
        let digits = source.arbitrary()?;
        let text = String::from_utf8_lossy(source.take_rest()).into_owned();
        Ok(TextInput { text, place, digits, platform, bot, author, is_repost, campaigns, currency })
    }

    /// The context of section 2, in public or in private.
    pub(super) fn context(&self, channel: Channel) -> Context<'_> {
        let TextInput { platform, bot, author, is_repost, campaigns, currency, .. } = self;
        Context { channel, platform: *platform, bot, author: *author, is_repost: *is_repost, campaigns, currency: *currency }
    }
}

/// A language file: made up as a whole, or one of ours with a change.
#[derive(Debug)]
pub(super) struct FileInput {
    /// What it is called.
    pub(super) file: String,
    /// Its content.
    pub(super) source: String,
}

impl FileInput {
    /// The first byte chooses the language (or none), then come the place of the change, how much goes, and what is put there.
    pub(super) fn from_bytes(bytes: &[u8], ours: impl Fn(&str) -> String) -> Result<FileInput> {
        let mut source = Unstructured::new(bytes);
        let codes: Vec<Option<&str>> = languages().iter().map(|language| Some(language.code.as_str())).chain([None]).collect();
        let code = *source.choose(&codes)?;
        let (place, removed): (u16, u16) = (source.arbitrary()?, source.arbitrary()?);
        let inserted = String::from_utf8_lossy(source.take_rest());
        let Some(code) = code else { return Ok(FileInput { file: "xx.toml".to_owned(), source: inserted.into_owned() }) };
        let mut file: Vec<char> = ours(code).chars().collect();
        let start = usize::from(place) % (file.len() + 1);
        let end = file.len().min(start + usize::from(removed));
        file.splice(start..end, inserted.chars());
        Ok(FileInput { file: format!("{code}.toml"), source: file.into_iter().collect() })
    }
}
