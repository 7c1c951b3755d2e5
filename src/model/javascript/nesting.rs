//! Source text in, out: an upper bound of how deep a recursive-descent parser goes on it.
//!
//! The parser has no limit of its own, and a stack that overflows ends the process. This reads the
//! text token by token, as the parser's lexer would, and counts what can make the parser recurse. What
//! cannot be told without a parser (is this `/` a division?) is never guessed: from there on every
//! token counts as one more level, so the bound stays a bound.

/// The worst place in the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nesting {
    /// Open brackets of any kind.
    pub brackets: usize,
    /// Tokens that may each stand one level deeper than the one before: `a => b => …`, `!!!…`,
    /// `else if … else if`, `a + b + …`.
    pub tokens: usize,
}

pub fn measure(text: &str) -> Nesting {
    let mut scanner = Scanner {
        text,
        at: 0,
        levels: vec![Level::new(Bracket::File, Slash::Unclear)],
        slash: Slash::Opens,
        word: Word::None,
        last: b';',
        line_start: true,
        now: Nesting::default(),
        worst: Nesting::default(),
    };
    if text.starts_with("#!") {
        scanner.skip_line();
    }
    if scanner.scan().is_none() {
        scanner.count_the_rest();
    }
    scanner.worst
}

/// What a `/` after the last token is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Divides,
    Opens,
    Unclear,
}

/// What the last token was, as far as it changes the meaning of the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    /// `.` or `#`: the next word is a name, even if it reads like a keyword.
    NameFollows,
    /// `if`, `for`, `while`, `with`: after the bracket a statement begins.
    Head,
    /// `switch`, `catch`: after the bracket a block begins.
    BlockHead,
    /// The bracket after one of those closed.
    AfterHead,
    For,
    Arrow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    File,
    Round {
        block_follows: bool,
    },
    Square,
    Curly,
    /// `${` in a template.
    Hole,
}

struct Level {
    bracket: Bracket,
    /// What a `/` after the closing bracket is.
    slash: Slash,
    /// Tokens since the last `,` or `;`.
    chain: usize,
    /// Words such as `else`, which nest statements across `;`.
    statements: usize,
}

impl Level {
    fn new(bracket: Bracket, slash: Slash) -> Self {
        Self { bracket, slash, chain: 0, statements: 0 }
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    levels: Vec<Level>,
    slash: Slash,
    word: Word,
    /// The last byte of the last token.
    last: u8,
    /// Only white space and comments since the line began: `-->` would begin a comment.
    line_start: bool,
    now: Nesting,
    worst: Nesting,
}

impl Scanner<'_> {
    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Nothing when the meaning of a character cannot be told; `at` is where that began.
    fn scan(&mut self) -> Option<()> {
        while let Some(c) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            match c {
                '\n' | '\r' | '\u{2028}' | '\u{2029}' => {
                    self.line_start = true;
                    self.at += c.len_utf8();
                }
                c if c.is_whitespace() || c == '\u{feff}' => self.at += c.len_utf8(),
                '/' if self.rest().starts_with(b"//") => self.skip_line(),
                '/' if self.rest().starts_with(b"/*") => self.skip_comment(),
                _ => {
                    self.token(c)?;
                    self.line_start = false;
                }
            }
        }
        Some(())
    }

    fn token(&mut self, c: char) -> Option<()> {
        match c {
            '/' => match self.slash {
                Slash::Divides => self.operator(1),
                Slash::Opens => self.regular_expression()?,
                Slash::Unclear => return None,
            },
            '"' | '\'' => self.string(c as u8)?,
            '`' => self.template()?,
            '(' => {
                let head = matches!(self.word, Word::Head | Word::For);
                let block_follows = head || self.word == Word::BlockHead;
                let slash = if head { Slash::Opens } else { Slash::Divides };
                self.open(Bracket::Round { block_follows }, slash, 1);
            }
            '[' => self.open(Bracket::Square, Slash::Divides, 1),
            '{' => self.open(Bracket::Curly, self.after_curly(), 1),
            ')' | ']' | '}' => self.close(c)?,
            ',' | ';' => {
                self.operator(1);
                if let Some(level) = self.levels.last_mut() {
                    self.now.tokens -= level.chain;
                    level.chain = 0;
                }
            }
            '.' if self.rest().starts_with(b"...") => self.operator(3),
            '.' | '#' => {
                self.operator(1);
                self.word = Word::NameFollows;
            }
            '=' if self.rest().starts_with(b"=>") => {
                self.operator(2);
                self.word = Word::Arrow;
            }
            '+' | '-' if self.rest().get(1) == self.rest().first() => self.increment()?,
            '<' if self.rest().starts_with(b"<!--") => return None,
            '\\' => return None,
            c if is_word(c) => self.read_word(),
            _ => self.operator(1),
        }
        Some(())
    }

    fn count(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.chain += 1;
        }
        self.now.tokens += 1;
        self.worst.tokens = self.worst.tokens.max(self.now.tokens);
    }

    fn operator(&mut self, length: usize) {
        self.count();
        self.at += length;
        self.last = self.text.as_bytes().get(self.at - 1).copied().unwrap_or_default();
        self.slash = Slash::Opens;
        self.word = Word::None;
    }

    fn value(&mut self) {
        self.count();
        self.last = b'a';
        self.slash = Slash::Divides;
        self.word = Word::None;
    }

    fn open(&mut self, bracket: Bracket, slash: Slash, length: usize) {
        self.operator(length);
        self.levels.push(Level::new(bracket, slash));
        self.now.brackets += 1;
        self.worst.brackets = self.worst.brackets.max(self.now.brackets);
    }

    fn after_curly(&self) -> Slash {
        match self.last {
            _ if matches!(self.word, Word::Arrow | Word::AfterHead) => Slash::Opens,
            b';' | b'{' | b'}' => Slash::Opens,
            b'=' | b'(' | b'[' | b',' | b'?' | b'&' | b'|' => Slash::Divides,
            _ => Slash::Unclear,
        }
    }

    fn close(&mut self, c: char) -> Option<()> {
        let level = self.levels.pop()?;
        let block_follows = match (level.bracket, c) {
            (Bracket::Round { block_follows }, ')') => block_follows,
            (Bracket::Square, ']') | (Bracket::Curly | Bracket::Hole, '}') => false,
            // A parser that recovers from this may go anywhere.
            _ => {
                self.levels.push(level);
                return None;
            }
        };
        self.now.brackets -= 1;
        self.now.tokens -= level.chain + level.statements;
        self.at += 1;
        self.slash = level.slash;
        self.last = c as u8;
        self.word = if block_follows { Word::AfterHead } else { Word::None };
        if level.bracket == Bracket::Hole { self.template_text() } else { Some(()) }
    }

    fn increment(&mut self) -> Option<()> {
        if self.line_start && self.rest().starts_with(b"-->") {
            return None;
        }
        // On the line of a value it belongs to that value; otherwise to the next one, and a `/` after
        // it would be an error that a parser may recover from.
        let postfix = self.slash == Slash::Divides && !self.line_start;
        self.operator(2);
        self.slash = if postfix { Slash::Divides } else { Slash::Unclear };
        Some(())
    }

    fn read_word(&mut self) {
        let rest = &self.text[self.at..];
        let mut length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if rest.starts_with(|c: char| c.is_ascii_digit()) && rest[length..].starts_with('.') {
            let fraction = &rest[length + 1..];
            length += 1 + fraction.find(|c: char| !is_word(c)).unwrap_or(fraction.len());
        }
        let name = self.word == Word::NameFollows;
        let after_for = self.word == Word::For;
        self.at += length;
        self.value();
        if name {
            return;
        }
        match &rest[..length] {
            "return" | "typeof" | "case" | "do" | "else" | "in" | "instanceof" | "new" | "void"
            | "delete" | "throw" | "extends" | "default" => self.slash = Slash::Opens,
            "if" | "while" | "with" => self.word = Word::Head,
            "for" => self.word = Word::For,
            "await" if after_for => self.word = Word::For,
            "switch" | "catch" => self.word = Word::BlockHead,
            "of" | "await" | "yield" | "export" | "import" | "try" | "finally" => self.slash = Slash::Unclear,
            _ => {}
        }
        if matches!(&rest[..length], "if" | "else" | "for" | "while" | "do" | "with")
            && let Some(level) = self.levels.last_mut()
        {
            level.chain -= 1;
            level.statements += 1;
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len());
    }

    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.get(2..).and_then(|body| body.find("*/")).map_or(rest.len(), |end| end + 4);
        self.line_start |= rest[..length].contains(['\n', '\r', '\u{2028}', '\u{2029}']);
        self.at += length;
    }

    fn string(&mut self, quote: u8) -> Option<()> {
        let mut bytes = self.rest().iter().enumerate().skip(1);
        let mut length = None;
        while let Some((index, byte)) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'\n' | b'\r' => break,
                byte if *byte == quote => {
                    length = Some(index + 1);
                    break;
                }
                _ => {}
            }
        }
        self.at += length?;
        self.value();
        Some(())
    }

    fn regular_expression(&mut self) -> Option<()> {
        let mut class = false;
        let mut bytes = self.rest().iter().enumerate().skip(1);
        let mut length = None;
        while let Some((index, byte)) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => {
                    length = Some(index + 1);
                    break;
                }
                b'\n' | b'\r' => break,
                _ => {}
            }
        }
        self.at += length?;
        self.value();
        Some(())
    }

    fn template(&mut self) -> Option<()> {
        self.at += 1;
        self.template_text()
    }

    /// From inside a template to its end or to the next hole.
    fn template_text(&mut self) -> Option<()> {
        let mut bytes = self.rest().iter().enumerate();
        let mut end = None;
        while let Some((index, byte)) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'`' | b'$' => {
                    let hole = self.rest().get(index..).is_some_and(|rest| rest.starts_with(b"${"));
                    if hole || *byte == b'`' {
                        end = Some((index, hole));
                        break;
                    }
                }
                _ => {}
            }
        }
        let (length, hole) = end?;
        self.at += length;
        if hole {
            self.open(Bracket::Hole, Slash::Unclear, 2);
        } else {
            self.at += 1;
            self.value();
        }
        Some(())
    }

    fn count_the_rest(&mut self) {
        let mut in_word = false;
        let mut rest = Nesting::default();
        for byte in self.rest() {
            let word = byte.is_ascii_alphanumeric() || !byte.is_ascii();
            let punctuation = byte.is_ascii_punctuation();
            rest.tokens += usize::from(punctuation || (word && !in_word));
            rest.brackets += usize::from(matches!(byte, b'(' | b'[' | b'{'));
            in_word = word;
        }
        self.worst.tokens = self.worst.tokens.max(self.now.tokens + rest.tokens);
        self.worst.brackets = self.worst.brackets.max(self.now.brackets + rest.brackets);
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c == '_'
        || c == '$'
        || !(c.is_ascii() || c.is_whitespace() || c == '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_where_they_are_brackets() {
        for (text, expected) in [
            ("", 0),
            ("((a)) + [b]", 2),
            ("f({ a: [1] })", 3),
            ("'(((' + \"[[[\" + `{{{`", 0),
            ("'\\'((('", 0),
            ("// (((\n/* [[[ */ (a)", 1),
            ("#! (((\n(a)", 1),
            ("/[(/]((/.test(a)", 1),
            ("a / (b) / (c)", 1),
            ("if (a) /(((/.test(b)", 1),
            ("if (a) { b }\n/(((/.test(c)", 1),
            ("return /(((/", 0),
            ("x.return / (a) / 2", 1),
            ("i++ / (a) / 2", 1),
            ("1. / (a) / 2", 1),
            ("`${(a)}((`", 2),
            ("`${`${a}`}`", 2),
            // Nobody tells what these are, so every bracket counts as open.
            ("x = function () {}\n/ (a) / (b)", 2),
            ("<!-- (\n(a)(b)", 3),
            ("\n--> (\n(a)(b)", 3),
            ("'unended\n(a)(b)", 2),
            ("(a]((", 3),
            ("\\u0069f (a) (b)", 2),
        ] {
            assert_eq!(measure(text).brackets, expected, "{text}");
        }
    }

    #[test]
    fn tokens_count_as_far_as_they_can_nest() {
        for (text, expected) in [
            ("a, b, c", 2),
            ("a; b; c", 2),
            ("!!!a", 4),
            ("a => b => c", 5),
            ("if (a) b; else if (c) d; else e;", 6),
            ("f(a, b); f(c, d);", 4),
        ] {
            assert_eq!(measure(text).tokens, expected, "{text}");
        }
    }
}
