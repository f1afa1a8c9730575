//! The benches measure what they say: the corpus is the same for a seed, and each class is what its name promises.

use std::collections::HashSet;

use obole::bench::language::corpus::{Class, posts};
use obole::bench::language::hostile::FAMILIES;
use obole::language::{Campaigns, Channel, Context, Platform, Reading, Silence, read};
use obole::money::Currency;

/// Enough for every language, sum and near miss to come up in every class.
const POSTS: usize = 400;

fn read_in(channel: Channel, text: &str) -> Reading {
    let campaigns = Campaigns::from_iter([("telethon", Some("afm_telethon")), ("cause1", Some("wateraid"))]);
    let context = Context {
        channel,
        platform: Platform::X,
        bot: "obole",
        author: Some("alice"),
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    read(text, &context)
}

fn mean(lengths: impl ExactSizeIterator<Item = usize>) -> usize {
    let count = lengths.len();
    lengths.sum::<usize>() / count
}

#[test]
fn the_corpus_is_its_seeds() {
    for class in Class::ALL {
        let one = posts(class, 7, POSTS);
        assert_eq!(one, posts(class, 7, POSTS));
        assert_ne!(one, posts(class, 8, POSTS), "{class:?}");
        assert_eq!(one[..50], posts(class, 7, 50), "{class:?}: a shorter corpus begins like a longer one");
    }
}

#[test]
fn every_post_is_what_its_class_promises() {
    for class in Class::ALL {
        for post in posts(class, 3, POSTS) {
            let reading = read_in(class.channel(), &post);
            assert!(class.keeps(&reading), "{class:?} {post:?}: {reading:?}");
        }
    }
}

#[test]
fn chatter_never_passes_the_gate_and_has_the_stated_length_and_hashtags() {
    let chatter = posts(Class::Chatter, 1, 4_000);
    assert!(chatter.iter().all(|post| !obole::language::would_concern(post, "obole")));
    let bytes = mean(chatter.iter().map(String::len));
    assert!((145..=155).contains(&bytes), "mean {bytes} bytes");
    let stream = posts(Class::Stream, 1, 4_000);
    let tagged = stream.iter().filter(|post| post.contains('#')).count() * 100 / stream.len();
    assert!((33..=39).contains(&tagged), "{tagged} in 100 have a hashtag");
    assert!(posts(Class::Hashtags, 1, POSTS).iter().all(|post| post.contains('#')));
    // Many languages: letters of scripts that share none.
    for letter in ['é', 'ß', 'ę', 'の', 'ه'] {
        assert!(chatter.iter().any(|post| post.contains(letter)), "{letter}");
    }
}

#[test]
fn orders_have_as_many_words_as_they_say_and_near_misses_miss_in_many_ways() {
    for (class, words) in [(Class::Order4, 4), (Class::Order9, 9), (Class::Order15, 15), (Class::Order25, 25)] {
        for post in posts(class, 5, POSTS) {
            assert_eq!(post.split(' ').count(), words, "{post}");
        }
    }
    let codes: HashSet<_> = posts(Class::NearMiss, 5, POSTS)
        .iter()
        .map(|post| match read_in(Channel::Post, post) {
            Reading::Rejected(rejection) => rejection.code,
            other => panic!("{post}: {other:?}"),
        })
        .collect();
    assert!(codes.len() >= 10, "{codes:?}");
}

#[test]
fn hostile_posts_have_their_length_and_reach_the_parser() {
    for family in FAMILIES {
        for bytes in [1_000, 10_000, 32_768] {
            let post = family.write(bytes);
            assert!(post.len() <= bytes && post.len() + 32 > bytes, "{}: {} of {bytes} bytes", family.name, post.len());
        }
        let reading = read_in(family.channel, &family.write(1_000));
        assert_ne!(reading, Reading::None(Silence::NotConcerned), "{}", family.name);
    }
}
