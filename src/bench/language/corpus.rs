//! The corpus: made-up posts of each kind that the language has to tell apart, the same for the same seed.
//!
//! Every class promises how its posts are read ([`Class::keeps`]); the bench looks before it measures, so that it never times a gate that
//! lets an order through.

use super::words::{HANDLES, NEAR_MISSES, SIGNS, SUMS, SUMS_OF_TWO, TAGS, TONGUES, Tongue};
use crate::entropy::{SeededEntropy, random_bytes};
use crate::language::{Channel, Reading, Silence};

/// How many in a hundred posts of the stream have a hashtag.
const TAGGED_PERCENT: u32 = 36;

/// The shortest and longest that chatter is meant to be, in bytes; evenly spread between, and cut at a word, so that the mean is 150.
const CHATTER_BYTES: (u32, u32) = (34, 258);

/// The most recipients of one order.
const MOST_RECIPIENTS: u32 = 10;

/// What a post is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Class {
    /// Chatter without a hash sign or the bot's name
    Chatter,
    /// Chatter with hashtags, none of them a verb
    Hashtags,
    /// Chatter as a stream brings it: 36 in 100 have a hashtag
    Stream,
    /// Talk about the bot, without a verb
    Talk,
    /// Orders that nearly are one
    NearMiss,
    /// Orders of four words
    Order4,
    /// Orders of nine words
    Order9,
    /// Orders of fifteen words
    Order15,
    /// Orders of twenty-five words, a campaign among them
    Order25,
    /// Orders with two to ten recipients
    Several,
    /// Private replies
    Reply,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 11] = [
        Class::Chatter,
        Class::Hashtags,
        Class::Stream,
        Class::Talk,
        Class::NearMiss,
        Class::Order4,
        Class::Order9,
        Class::Order15,
        Class::Order25,
        Class::Several,
        Class::Reply,
    ];

    /// The name on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Chatter => "chatter",
            Class::Hashtags => "hashtags",
            Class::Stream => "stream",
            Class::Talk => "talk",
            Class::NearMiss => "near-miss",
            Class::Order4 => "order4",
            Class::Order9 => "order9",
            Class::Order15 => "order15",
            Class::Order25 => "order25",
            Class::Several => "several",
            Class::Reply => "reply",
        }
    }

    /// Where its posts are written.
    pub fn channel(self) -> Channel {
        if self == Class::Reply { Channel::Dm } else { Channel::Post }
    }

    /// Whether a reading is what the class promises.
    pub fn keeps(self, reading: &Reading) -> bool {
        match self {
            Class::Chatter | Class::Hashtags | Class::Stream => *reading == Reading::None(Silence::NotConcerned),
            Class::Talk => *reading == Reading::None(Silence::NotAddressed),
            Class::NearMiss => matches!(reading, Reading::Rejected(_)),
            Class::Order4 | Class::Order9 | Class::Order15 | Class::Order25 | Class::Several => {
                matches!(reading, Reading::Order(_))
            }
            Class::Reply => matches!(reading, Reading::Reply(_)),
        }
    }
}

/// `count` posts of a class; the same for the same seed.
pub fn posts(class: Class, seed: u64, count: usize) -> Vec<String> {
    let mut writer = Writer { entropy: SeededEntropy::new(seed) };
    (0..count).map(|_| writer.post(class)).collect()
}

struct Writer {
    entropy: SeededEntropy,
}

impl Writer {
    fn post(&mut self, class: Class) -> String {
        match class {
            Class::Chatter => self.chatter(false),
            Class::Hashtags => self.chatter(true),
            Class::Stream => {
                let tagged = self.chance(TAGGED_PERCENT);
                self.chatter(tagged)
            }
            Class::Talk => {
                let name = if self.chance(50) { "@obole" } else { "@Obole" };
                format!("{name} {}", self.chatter(false))
            }
            Class::NearMiss => {
                let handle = self.pick(&HANDLES);
                self.pick(&NEAR_MISSES).replace("@bob", &format!("@{handle}"))
            }
            Class::Order4 => {
                let (tongue, handle) = (self.spaced(), self.pick(&HANDLES));
                format!("@obole #{} {} @{handle}", self.pick(&tongue.verbs), self.pick(&SUMS))
            }
            Class::Order9 => self.order("", 3),
            Class::Order15 => self.order("", 9),
            Class::Order25 => self.order(" #telethon", 18),
            Class::Several => {
                let (tongue, sum) = (self.spaced(), self.pick(&SUMS_OF_TWO));
                let count = 2 + self.below(MOST_RECIPIENTS - 1);
                let listed: Vec<String> =
                    (1..count).map(|number| format!("@{}{number}", self.pick(&["bob", "eve", "anna"]))).collect();
                format!("@obole #{} {sum} {} {} {} @zoe", self.pick(&tongue.verbs), tongue.to, listed.join(", "), tongue.and)
            }
            Class::Reply => {
                let [yes, no, help] = self.pick(&TONGUES).replies;
                match self.below(3) {
                    0 => format!("{yes} {}", 100_000 + self.below(900_000)),
                    1 => no.to_owned(),
                    _ => help.to_owned(),
                }
            }
        }
    }

    /// A post of about as many bytes as its dice say, with people, links and pictures as they are usual.
    fn chatter(&mut self, tagged: bool) -> String {
        let tongue = self.pick(&TONGUES);
        let (shortest, longest) = CHATTER_BYTES;
        let length = (shortest + self.below(longest - shortest + 1)) as usize;
        let mut post = String::new();
        if self.chance(20) {
            post = format!("@{} ", self.pick(&HANDLES));
        }
        let link = self.chance(15).then(|| format!(" https://example.org/{}", self.below(1_000_000)));
        let tags = if tagged { 1 + self.below(3) } else { 0 };
        let ending: String = (0..tags).map(|_| format!(" #{}", self.pick(&TAGS))).chain(link).collect();
        while post.len() + ending.len() < length {
            post.push_str(self.pick(tongue.words));
            if self.chance(12) {
                post.push_str(self.pick(&SIGNS));
            }
            if self.chance(4) {
                post.push_str(&format!(" {}", self.below(2_000)));
            }
            post.push_str(tongue.space);
        }
        format!("{}{ending}", post.trim_end())
    }

    /// `@obole #send 20 euros to @bob`: six words (one more with what follows the handle), and so many of a memo.
    fn order(&mut self, after: &str, memo: usize) -> String {
        let (tongue, handle) = (self.spaced(), self.pick(&HANDLES));
        let words: String = (0..memo).map(|_| format!(" {}", self.pick(tongue.words))).collect();
        format!("@obole #{} {} {} @{handle}{after}{words}", self.pick(&tongue.verbs), self.pick(&SUMS_OF_TWO), tongue.to)
    }

    /// A language whose words stand apart.
    fn spaced(&mut self) -> &'static Tongue {
        let apart: Vec<&'static Tongue> = TONGUES.iter().filter(|tongue| !tongue.space.is_empty()).collect();
        self.pick(&apart)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(u32::try_from(from.len()).unwrap_or(u32::MAX)) as usize]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Evenly enough for made-up posts: the bias of the remainder is far below one in a million.
    fn below(&mut self, bound: u32) -> u32 {
        let dice = u32::from_le_bytes(random_bytes(&self.entropy));
        dice.checked_rem(bound).unwrap_or(0)
    }
}
