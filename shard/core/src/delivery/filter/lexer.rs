//! A filter's text as tokens, each with the column where it begins.

use std::{iter::Peekable, str::Chars};

use super::FilterError;

/// What a filter is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a field, a function, an attribute's name or a number.
    Word(String),
    /// A quoted text, its escapes undone.
    Text(String),
    /// `=`, `!=`, `<`, `<=`, `>` or `>=`.
    Comparison(&'static str),
    /// `(`, `)`, `,`, `.` or `:`.
    Mark(char),
    End,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    /// In characters, from 1.
    pub(super) column: usize,
}

/// Cuts a text into tokens; the last one is `End`.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, FilterError> {
    let mut lexer = Lexer { rest: text.chars().peekable(), column: 0 };
    let mut tokens = Vec::new();
    loop {
        while lexer.rest.peek().is_some_and(char::is_ascii_whitespace) {
            lexer.take();
        }
        let column = lexer.column + 1;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push(Placed { token, column });
        if is_end {
            return Ok(tokens);
        }
    }
}

/// Whether a name can stand without quotes.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_word)
}

struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    /// How many characters were taken.
    column: usize,
}

impl Lexer<'_> {
    fn take(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.column += 1;
        Some(next)
    }

    fn token(&mut self) -> Result<Token, FilterError> {
        let Some(first) = self.take() else { return Ok(Token::End) };
        match first {
            '(' | ')' | ',' | '.' | ':' => Ok(Token::Mark(first)),
            '=' => Ok(Token::Comparison("=")),
            '<' => Ok(Token::Comparison(if self.takes('=') { "<=" } else { "<" })),
            '>' => Ok(Token::Comparison(if self.takes('=') { ">=" } else { ">" })),
            '!' if self.takes('=') => Ok(Token::Comparison("!=")),
            '"' => self.text(),
            _ if is_of_word(first) => Ok(Token::Word(self.word(first))),
            _ => Err(self.error(format!("{first:?} is not expected here"))),
        }
    }

    fn takes(&mut self, wanted: char) -> bool {
        let there = self.rest.peek() == Some(&wanted);
        if there {
            self.take();
        }
        there
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(next) = self.rest.peek().copied().filter(|next| is_of_word(*next)) {
            word.push(next);
            self.take();
        }
        word
    }

    /// The rest of a quoted text.
    fn text(&mut self) -> Result<Token, FilterError> {
        let begin = self.column;
        let mut text = String::new();
        loop {
            match self.take() {
                Some('"') => return Ok(Token::Text(text)),
                Some('\\') => match self.take() {
                    Some(escaped @ ('"' | '\\')) => text.push(escaped),
                    _ => return Err(self.error("behind a backslash comes a quote or a backslash".to_owned())),
                },
                Some(control) if control.is_control() => {
                    return Err(self.error("no text of a message has control characters".to_owned()));
                }
                Some(other) => text.push(other),
                None => return Err(FilterError { column: begin, reason: "the quote is not closed".to_owned() }),
            }
        }
    }

    /// What is wrong with the character that was taken last.
    fn error(&self, reason: String) -> FilterError {
        FilterError { column: self.column, reason }
    }
}

const fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}
