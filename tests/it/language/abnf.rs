//! A reader of `grammar/obole.abnf` (RFC 5234, RFC 7405), enough to make sentences from it and to recognise them.

use std::collections::{BTreeMap, BTreeSet};

/// What stands on the right of a production.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// One of these.
    Any(Vec<Node>),
    /// All of these, in this order.
    All(Vec<Node>),
    /// So many times.
    Times(usize, Option<usize>, Box<Node>),
    /// Another production.
    Rule(String),
    /// A text; in any case unless it was written `%s`.
    Text(String, bool),
    /// A code point.
    Range(char, char),
    /// A word list or a Unicode class, in words.
    Prose(String),
}

/// The productions of a grammar by name, in ABNF's core rules where the file has none.
pub(super) struct Grammar {
    pub(super) rules: BTreeMap<String, Node>,
}

/// Numbers from a seed (xorshift), so that a failure comes again.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(super) fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }
}

impl Grammar {
    pub(super) fn read(source: &str) -> Grammar {
        let mut joined: Vec<String> = Vec::new();
        for line in source.lines() {
            let line = strip_comment(line);
            match joined.last_mut() {
                _ if line.trim().is_empty() => {}
                Some(last) if line.starts_with(' ') => last.push_str(line),
                _ => joined.push(line.to_owned()),
            }
        }
        let parse = |line: String| {
            let (name, right) = line.split_once(" = ").or_else(|| line.split_once('=')).unwrap_or_else(|| panic!("{line}"));
            let mut parser = Parser { rest: right };
            let node = parser.any();
            assert!(parser.rest.trim().is_empty(), "{name}: {:?} is left", parser.rest);
            (name.trim().to_owned(), node)
        };
        Grammar { rules: joined.into_iter().map(parse).collect() }
    }

    fn core(name: &str) -> Vec<(char, char)> {
        match name {
            "ALPHA" => vec![('a', 'z'), ('A', 'Z')],
            "DIGIT" => vec![('0', '9')],
            "SP" => vec![(' ', ' ')],
            "HTAB" => vec![('\t', '\t')],
            "CR" => vec![('\r', '\r')],
            "LF" => vec![('\n', '\n')],
            _ => panic!("no production {name}"),
        }
    }

    /// A sentence; `prose` says what may stand for the words in angle brackets.
    pub(super) fn make(&self, name: &str, dice: &mut Dice, prose: &dyn Fn(&str, &mut Dice) -> String) -> String {
        match self.rules.get(name) {
            Some(node) => self.make_node(node, dice, prose),
            None => {
                let (first, last) = *dice.pick(&Grammar::core(name));
                between(first, last, dice).to_string()
            }
        }
    }

    fn make_node(&self, node: &Node, dice: &mut Dice, prose: &dyn Fn(&str, &mut Dice) -> String) -> String {
        match node {
            Node::Any(nodes) => self.make_node(dice.pick(nodes), dice, prose),
            Node::All(nodes) => nodes.iter().map(|node| self.make_node(node, dice, prose)).collect(),
            Node::Times(least, most, node) => {
                let spread = most.map_or(3, |most| (most - least).min(4));
                let count = least + dice.below(spread + 1);
                (0..count).map(|_| self.make_node(node, dice, prose)).collect()
            }
            Node::Rule(name) => self.make(name, dice, prose),
            Node::Text(text, _) => text.clone(),
            Node::Range(first, last) => between(*first, *last, dice).to_string(),
            Node::Prose(words) => prose(words, dice),
        }
    }

    /// Whether the whole text is a sentence of the production; word lists in angle brackets match nothing.
    pub(super) fn accepts(&self, name: &str, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.ends(&Node::Rule(name.to_owned()), &text, 0).contains(&text.len())
    }

    fn ends(&self, node: &Node, text: &[char], at: usize) -> BTreeSet<usize> {
        let one = |ok: bool, length: usize| if ok { BTreeSet::from([at + length]) } else { BTreeSet::new() };
        match node {
            Node::Any(nodes) => nodes.iter().flat_map(|node| self.ends(node, text, at)).collect(),
            Node::All(nodes) => nodes
                .iter()
                .fold(BTreeSet::from([at]), |ends, node| ends.into_iter().flat_map(|end| self.ends(node, text, end)).collect()),
            Node::Times(least, most, node) => {
                let mut all = BTreeSet::new();
                let mut ends = BTreeSet::from([at]);
                for count in 0..=most.unwrap_or(text.len()) {
                    if count >= *least {
                        all.extend(&ends);
                    }
                    ends = ends.into_iter().flat_map(|end| self.ends(node, text, end)).collect();
                    if ends.is_empty() {
                        break;
                    }
                }
                all
            }
            Node::Rule(name) => match self.rules.get(name) {
                Some(node) => self.ends(node, text, at),
                None => {
                    let fits = |c: char| Grammar::core(name).into_iter().any(|(first, last)| (first..=last).contains(&c));
                    one(text.get(at).is_some_and(|c| fits(*c)), 1)
                }
            },
            Node::Text(expected, exact) => {
                let expected: Vec<char> = expected.chars().collect();
                let here = text.get(at..at + expected.len());
                let same = |(a, b): (&char, &char)| if *exact { a == b } else { a.eq_ignore_ascii_case(b) };
                one(here.is_some_and(|here| here.iter().zip(&expected).all(same)), expected.len())
            }
            Node::Range(first, last) => one(text.get(at).is_some_and(|c| (first..=last).contains(&c)), 1),
            Node::Prose(_) => BTreeSet::new(),
        }
    }
}

fn between(first: char, last: char, dice: &mut Dice) -> char {
    let offset = u32::try_from(dice.below((last as u32 - first as u32 + 1) as usize)).unwrap();
    char::from_u32(first as u32 + offset).unwrap()
}

fn strip_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => return line.split_once('>').map_or(line, |_| line),
            ';' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

struct Parser<'s> {
    rest: &'s str,
}

impl Parser<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, sign: char) -> bool {
        self.skip();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Node {
        let mut nodes = vec![self.all()];
        while self.take('/') {
            nodes.push(self.all());
        }
        if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) }
    }

    fn all(&mut self) -> Node {
        let mut nodes = Vec::new();
        loop {
            self.skip();
            if self.rest.is_empty() || self.rest.starts_with([')', ']', '/']) {
                return if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) };
            }
            nodes.push(self.times());
        }
    }

    fn number(&mut self) -> Option<usize> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.parse().ok()
    }

    fn times(&mut self) -> Node {
        let least = self.number();
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            let most = self.number();
            return Node::Times(least.unwrap_or(0), most, Box::new(self.element()));
        }
        match least {
            Some(count) => Node::Times(count, Some(count), Box::new(self.element())),
            None => self.element(),
        }
    }

    fn until(&mut self, sign: char) -> String {
        let (inside, rest) = self.rest.split_once(sign).unwrap_or_else(|| panic!("no {sign} in {:?}", self.rest));
        self.rest = rest;
        inside.to_owned()
    }

    fn element(&mut self) -> Node {
        if self.take('(') {
            let node = self.any();
            assert!(self.take(')'));
            node
        } else if self.take('[') {
            let node = self.any();
            assert!(self.take(']'));
            Node::Times(0, Some(1), Box::new(node))
        } else if self.take('"') {
            Node::Text(self.until('"'), false)
        } else if self.take('<') {
            Node::Prose(self.until('>'))
        } else if let Some(rest) = self.rest.strip_prefix("%s\"") {
            self.rest = rest;
            Node::Text(self.until('"'), true)
        } else if let Some(rest) = self.rest.strip_prefix("%x") {
            self.rest = rest;
            let first = self.code_point();
            let last = if self.rest.starts_with('-') {
                self.rest = &self.rest[1..];
                self.code_point()
            } else {
                first
            };
            Node::Range(first, last)
        } else {
            let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(end);
            assert!(!name.is_empty(), "{:?}", self.rest);
            self.rest = rest;
            Node::Rule(name.to_owned())
        }
    }

    fn code_point(&mut self) -> char {
        let end = self.rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(self.rest.len());
        let (hex, rest) = self.rest.split_at(end);
        self.rest = rest;
        char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap()
    }
}
