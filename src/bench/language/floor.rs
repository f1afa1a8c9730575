//! Floors: the least that finding a candidate post could cost, over the same posts.

use std::hint::black_box;

use memchr::{memchr3_iter, memmem};

/// What is done with every post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pass {
    /// Nothing: what everything else costs
    None,
    /// It is read by the order language
    Read,
    /// One search for the three bytes that can begin a hashtag or a mention
    Memchr3,
    /// One search for the bot's name
    Memmem,
}

impl Pass {
    /// As it is written on the command line.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Pass::None => "none",
            Pass::Read => "read",
            Pass::Memchr3 => "memchr3",
            Pass::Memmem => "memmem",
        }
    }
}

/// The lead byte of `＃` and `＠`.
const FULL_WIDTH: u8 = 0xEF;

/// One pass over a post, to its end, for `#`, `@` and the full-width forms of both.
pub(super) fn memchr3_pass(post: &str) {
    black_box(memchr3_iter(b'#', b'@', FULL_WIDTH, black_box(post).as_bytes()).count());
}

/// One search through a post for the bot's name, by a searcher that was built before.
pub(super) fn memmem_pass(finder: &memmem::Finder<'_>, post: &str) {
    black_box(finder.find(black_box(post).as_bytes()));
}
