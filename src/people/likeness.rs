//! Likeness: whether two names can be taken for one another.
//!
//! A payee is known by an immutable id, and people read names. So whoever is called almost like a payee of the directory is neither paid
//! nor invited under that name, and an entry that is called almost like another is not payable before somebody has looked.
//!
//! Two measures, since each misses what the other finds: the skeleton of UTS #39 (`сroixrouge` with a Cyrillic letter, `rn` for `m`, `1`
//! for `l`), taken after separators are left out and digits read as the letters they stand for; and for longer names one slip of the
//! hand (`croixrougee`, `corixrouge`).

use unicode_normalization::UnicodeNormalization as _;

use super::Class;

/// From this length on, one slip makes another name; shorter names differ by one letter too often.
const LONG: usize = 6;

/// How two names that are not the same can be taken for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// They look the same.
    Look,
    /// One letter is more, less, another, or has changed places with its neighbour.
    Slip,
}

/// What a name looks like: two names of one look are one to the eye.
pub fn look(name: &str) -> String {
    let folded: String = name.nfkc().flat_map(char::to_lowercase).collect();
    // Accents are overlooked, and so are separators.
    let letters = folded.nfd().filter(|c| c.is_alphanumeric());
    // The tables know 1 and l, but not every digit that people write for a letter.
    let read = letters.map(|c| match c {
        '0' => 'o',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        other => other,
    });
    let skeleton: String = unicode_security::skeleton(&read.collect::<String>()).flat_map(char::to_lowercase).collect();
    // The tables read m as rn, and say nothing of this pair.
    skeleton.replace("vv", "w")
}

/// The part of a handle that people read as the name: what stands before the server.
pub fn name_of(handle: &str) -> &str {
    let bare = handle.trim_start_matches('@');
    bare.split(['@', '.']).next().filter(|name| !name.is_empty()).unwrap_or(bare)
}

/// Whether two names can be taken for one another. The same name is alike, too: who is called so on another server is somebody else.
pub fn likeness(one: &str, other: &str) -> Option<Likeness> {
    // What looks like m is longer than m: it is the name as written that is long or not.
    let letters = |name: &str| name.nfkc().filter(|c| c.is_alphanumeric()).count();
    let long = letters(one).min(letters(other)) >= LONG;
    let (one, other) = (look(one), look(other));
    if one.is_empty() || other.is_empty() {
        return None;
    }
    if one == other {
        return Some(Likeness::Look);
    }
    (long && strsim::damerau_levenshtein(&one, &other) == 1).then_some(Likeness::Slip)
}

/// Whether a name is too much like that of a payee of this class to be somebody else's. Two people may well be called almost the same; an
/// organisation is trusted by its name.
pub fn imitates(name: &str, payee: &str, class: Class) -> bool {
    match likeness(name, payee) {
        Some(Likeness::Look) => true,
        Some(Likeness::Slip) => class != Class::Person,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_eye_takes_for_the_same_is_alike() {
        for imitation in [
            "сroixrouge",
            "croixr0uge",
            "croix_rouge",
            "croix.rouge",
            "Croix-Rouge",
            "croixrоuge",
            "ｃroixrouge",
            "cr0ixrouge",
            "croixrougé",
            "CROIXROUGE",
        ] {
            assert_eq!(likeness(imitation, "croixrouge"), Some(Likeness::Look), "{imitation}");
        }
        for (imitation, name) in [("paypa1", "paypal"), ("rnsf_france", "msf_france"), ("vvateraid", "wateraid")] {
            assert_eq!(likeness(imitation, name), Some(Likeness::Look), "{imitation}");
        }
    }

    #[test]
    fn one_slip_of_the_hand_is_alike_and_two_are_not() {
        for imitation in ["croixrougee", "crixrouge", "corixrouge", "croixrougs"] {
            assert_eq!(likeness(imitation, "croixrouge"), Some(Likeness::Slip), "{imitation}");
        }
        for other in ["croixbleue", "rouge", "croix", "telethon", ""] {
            assert_eq!(likeness(other, "croixrouge"), None, "{other}");
        }
        // Short names are close to each other by chance.
        assert_eq!(likeness("bob", "rob"), None);
        assert_eq!(likeness("marie", "maria"), None);
    }

    #[test]
    fn people_may_be_called_almost_the_same_and_organisations_may_not() {
        assert!(!imitates("martine", "martins", Class::Person));
        assert!(imitates("martine", "martins", Class::Company));
        assert!(imitates("b0b", "bob", Class::Person));
    }

    #[test]
    fn of_a_handle_the_name_is_compared() {
        for (handle, name) in
            [("croixrouge", "croixrouge"), ("croixrouge@evil.example", "croixrouge"), ("msf.bsky.social", "msf"), ("@", "")]
        {
            assert_eq!(name_of(handle), name, "{handle}");
        }
    }
}
