//! The parts that people play in the demo, dealt out by their number: the same number plays the same part in every run.

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Gives and confirms.
    Confirms,
    /// Pays a person and confirms, in English.
    PaysAPerson,
    /// Gives to two and confirms once.
    GivesToTwo,
    /// Answers no.
    SaysNo,
    /// Answers after the code has run out.
    IsLate,
    /// Never answers.
    IsSilent,
    /// Sends a wrong code first.
    Mistypes,
    /// Deletes the post before confirming.
    Deletes,
    /// Changes the sum after posting.
    Edits,
    /// Takes the order back with a cancel order.
    Cancels,
    /// Wants more than a code may confirm.
    AsksTooMuch,
    /// Posts what nearly is an order.
    WritesNonsense,
    /// Pays somebody who is not in the directory.
    PaysAStranger,
    /// Never enrols.
    IsAStranger,
}

/// One hundred people, and what they do. The first of them show one of everything.
const HUNDRED: [(Part, u32); 14] = [
    (Part::Confirms, 52),
    (Part::PaysAPerson, 10),
    (Part::GivesToTwo, 6),
    (Part::SaysNo, 6),
    (Part::IsLate, 3),
    (Part::IsSilent, 3),
    (Part::Mistypes, 4),
    (Part::Deletes, 2),
    (Part::Edits, 2),
    (Part::Cancels, 2),
    (Part::AsksTooMuch, 2),
    (Part::WritesNonsense, 4),
    (Part::PaysAStranger, 2),
    (Part::IsAStranger, 2),
];

impl Part {
    /// The part of the person with this number. Parts are spread so that the first few dozen show most of them.
    pub(super) fn of(number: u32) -> Part {
        // 37 and 100 have no common divisor, so a hundred numbers in a row are a hundred different places.
        let place = (number % 100) * 37 % 100;
        let mut before = 0;
        for (part, share) in HUNDRED {
            before += share;
            if place < before {
                return part;
            }
        }
        Part::Confirms
    }

    /// Whether the person enrols before posting.
    pub(super) fn enrols(self) -> bool {
        self != Part::IsAStranger
    }

    /// Whether the post makes an order.
    pub(super) fn makes_an_order(self) -> bool {
        self != Part::WritesNonsense
    }

    /// What is posted, with a sum that depends on the number.
    pub(super) fn post(self, number: u32) -> String {
        let (euros, cents) = (1 + number % 20, number * 7 % 100);
        match self {
            Part::PaysAPerson => format!("@obole #send {euros}.{cents:02} EUR to @bob for lunch"),
            Part::GivesToTwo => format!("@obole #donner {euros},{cents:02} € à @croixrouge et @wateraid #partager"),
            Part::AsksTooMuch => "@obole #donner 45 € @croixrouge #telethon".to_owned(),
            Part::WritesNonsense if number.is_multiple_of(2) => "@obole #envoyer 1.000 € @bob".to_owned(),
            Part::WritesNonsense => "@obole #donner 20 balles @croixrouge".to_owned(),
            Part::PaysAStranger => format!("@obole #envoyer {euros} € @nobody_here"),
            _ => format!("@obole #donner {euros},{cents:02} € @croixrouge #telethon"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_people_play_every_part_as_often_as_it_is_dealt() {
        for (part, share) in HUNDRED {
            let playing = (0..100).filter(|number| Part::of(*number) == part).count();
            assert_eq!(playing, usize::try_from(share).unwrap(), "{part:?}");
        }
        assert_eq!(HUNDRED.iter().map(|(_, share)| share).sum::<u32>(), 100);
    }
}
