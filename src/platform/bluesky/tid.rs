//! Record keys that we choose: the same for the same sending, so that a repetition meets the record that is there already.
//!
//! A post's key has to be a TID (<https://atproto.com/specs/tid>): 64 bits in 13 characters of a sortable base32, of which 53 count
//! microseconds since 1970 and 10 tell clocks apart. The time is that of the post that is answered, so the key looks as old as what it
//! belongs to; the low 30 bits are a hash of the sending's key.

use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
const CHARACTERS: u32 = 13;
/// Bits that are taken from the hash: 20 of the time (about a second) and the 10 of the clock.
const HASHED: u32 = 30;
/// What stands in for a time where the answered post's key has none: 2024-01-01.
const SOME_TIME: u64 = 1_704_067_200_000_000 << 10;

/// The record key of an answer to the post with this record key.
pub(super) fn of_answer(key: &str, to_rkey: &str) -> String {
    let mask = (1_u64 << HASHED) - 1;
    let hash = Sha256::new().chain_update(b"obole-reply-v1\0").chain_update(key).finalize();
    let low = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) & mask;
    encode(read(to_rkey).unwrap_or(SOME_TIME) & !mask | low)
}

fn encode(number: u64) -> String {
    let digit = |place: u32| {
        let index = usize::try_from(number >> (5 * place) & 31).unwrap_or(0);
        char::from(ALPHABET[index])
    };
    (0..CHARACTERS).rev().map(digit).collect()
}

/// The number, if it is a TID: the topmost bit of a TID is 0.
fn read(text: &str) -> Option<u64> {
    let digits = text.bytes().map(|byte| ALPHABET.iter().position(|letter| *letter == byte));
    let digits: Vec<usize> = digits.collect::<Option<_>>()?;
    let fits = digits.len() == 13 && digits[0] < 8;
    fits.then(|| digits.iter().fold(0_u64, |number, digit| number << 5 | u64::try_from(*digit).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_for_the_same_sending_and_another_for_another() {
        let key = of_answer("0192", "3l3qo2vuowo2b");
        assert_eq!(key, of_answer("0192", "3l3qo2vuowo2b"));
        assert_ne!(key, of_answer("0193", "3l3qo2vuowo2b"));
        assert_eq!(key[..7], "3l3qo2vuowo2b"[..7], "as old as what it answers, to the second");
    }

    #[test]
    fn every_key_is_a_tid() {
        for to in ["3l3qo2vuowo2b", "self", "zzzzzzzzzzzzz", "", "jzzzzzzzzzzzz"] {
            let key = of_answer("0192", to);
            assert!(read(&key).is_some(), "{key}");
            assert_eq!(encode(read(&key).unwrap()), key);
        }
    }
}
