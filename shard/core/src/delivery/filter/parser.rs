//! From tokens to the tree. `NOT` binds most tightly, then `AND`, then `OR`.
//!
//! ```text
//! any        = all { "OR" all }
//! all        = one { "AND" one }
//! one        = "NOT" one | "(" any ")" | condition
//! condition  = "attributes" ":" NAME
//!            | "hasPrefix" "(" field "," TEXT ")"
//!            | field ( "=" | "!=" ) TEXT
//!            | field "IN" "(" TEXT { "," TEXT } ")"
//!            | "priority" ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) DIGIT
//! field      = "key" | "attributes" "." NAME
//! NAME       = letters, digits, "_" and "-", or a TEXT
//! ```

use super::{
    FilterError,
    expression::{Comparison, Expression, Field},
    lexer::{self, Placed, Token},
};
use crate::limits;

/// Compiles a whole text.
pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    let mut parser = Parser { tokens: lexer::tokens(text)?, at: 0, depth: 0 };
    let root = parser.any()?;
    if parser.token() == &Token::End { Ok(root) } else { Err(parser.expected("AND, OR or the end")) }
}

/// What stands behind a comparison of priorities.
const PRIORITY: &str = "a priority from 0 to 9";

struct Parser {
    /// The last one is `End`, which is never taken.
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn any(&mut self) -> Result<Expression, FilterError> {
        let mut parts = Vec::new();
        loop {
            let part = self.all()?;
            if let Expression::Any(inner) = part {
                // It stood in parentheses, which change nothing.
                parts.extend(inner);
            } else {
                parts.push(part);
            }
            if !self.takes_word("OR") {
                return Ok(joined(parts, Expression::Any));
            }
        }
    }

    fn all(&mut self) -> Result<Expression, FilterError> {
        let mut parts = Vec::new();
        loop {
            let part = self.one()?;
            if let Expression::All(inner) = part {
                parts.extend(inner);
            } else {
                parts.push(part);
            }
            if !self.takes_word("AND") {
                return Ok(joined(parts, Expression::All));
            }
        }
    }

    fn one(&mut self) -> Result<Expression, FilterError> {
        if self.depth == limits::FILTER_DEPTH_MAX {
            return Err(self.error(format!("it is nested deeper than {}", limits::FILTER_DEPTH_MAX)));
        }
        self.depth += 1;
        let one = if self.takes_word("NOT") {
            Expression::Not(Box::new(self.one()?))
        } else if self.takes(&Token::Mark('(')) {
            let inner = self.any()?;
            self.expect(')')?;
            inner
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(one)
    }

    fn condition(&mut self) -> Result<Expression, FilterError> {
        if self.takes_word("hasPrefix") {
            self.expect('(')?;
            let field = self.field()?;
            self.expect(',')?;
            let text = self.text()?;
            self.expect(')')?;
            return Ok(Expression::Begins(field, text));
        }
        if self.takes_word("priority") {
            return self.priority();
        }
        if self.is_word("attributes") && self.token_at(1) == &Token::Mark(':') {
            self.at += 2;
            return self.name().map(Expression::Present);
        }
        let field = self.field()?;
        if self.takes_word("IN") {
            return self.texts().map(|texts| Expression::IsOneOf(field, texts));
        }
        let is_equal = self.takes(&Token::Comparison("="));
        if !is_equal && !self.takes(&Token::Comparison("!=")) {
            return Err(self.expected("=, != or IN"));
        }
        let is = Expression::Is(field, self.text()?);
        // A text that is not there is not this one either.
        Ok(if is_equal { is } else { Expression::Not(Box::new(is)) })
    }

    fn priority(&mut self) -> Result<Expression, FilterError> {
        let Token::Comparison(found) = *self.token() else { return Err(self.expected("a comparison")) };
        let comparison = Comparison::ALL.into_iter().find(|comparison| comparison.as_str() == found);
        let Some(comparison) = comparison else { return Err(self.expected("a comparison")) };
        self.at += 1;
        let Token::Word(digit) = self.token() else { return Err(self.expected(PRIORITY)) };
        let Some(number) = digit.parse().ok().filter(|_| digit.len() == 1) else {
            return Err(self.expected(PRIORITY));
        };
        self.at += 1;
        Ok(Expression::Priority(comparison, number))
    }

    fn field(&mut self) -> Result<Field, FilterError> {
        if self.takes_word("key") {
            return Ok(Field::Key);
        }
        if !self.takes_word("attributes") {
            return Err(self.expected("a condition on attributes, key or priority"));
        }
        self.expect('.')?;
        self.name().map(Field::Attribute)
    }

    fn name(&mut self) -> Result<Box<str>, FilterError> {
        let (Token::Word(name) | Token::Text(name)) = self.token() else {
            return Err(self.expected("the name of an attribute"));
        };
        let name = name.as_str().into();
        self.at += 1;
        Ok(name)
    }

    fn text(&mut self) -> Result<Box<str>, FilterError> {
        let Token::Text(text) = self.token() else { return Err(self.expected("a text in double quotes")) };
        let text = text.as_str().into();
        self.at += 1;
        Ok(text)
    }

    fn texts(&mut self) -> Result<Box<[Box<str>]>, FilterError> {
        self.expect('(')?;
        let mut texts = vec![self.text()?];
        while self.takes(&Token::Mark(',')) {
            texts.push(self.text()?);
        }
        self.expect(')')?;
        Ok(texts.into_boxed_slice())
    }

    fn expect(&mut self, mark: char) -> Result<(), FilterError> {
        if self.takes(&Token::Mark(mark)) { Ok(()) } else { Err(self.expected(&format!("`{mark}`"))) }
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let there = self.token() == wanted;
        self.at += usize::from(there);
        there
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        let there = self.is_word(wanted);
        self.at += usize::from(there);
        there
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.token(), Token::Word(word) if word == wanted)
    }

    fn token(&self) -> &Token {
        self.token_at(0)
    }

    fn token_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |placed| &placed.token)
    }

    fn expected(&self, what: &str) -> FilterError {
        let found = match self.token() {
            Token::Word(word) => format!("`{word}`"),
            Token::Text(_) => "a text".to_owned(),
            Token::Comparison(comparison) => format!("`{comparison}`"),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::End => "the end".to_owned(),
        };
        self.error(format!("{what} is expected, not {found}"))
    }

    /// What is wrong with the next token.
    fn error(&self, reason: String) -> FilterError {
        let column = self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |placed| placed.column);
        FilterError { column, reason }
    }
}

/// One part as it is, several joined.
fn joined(mut parts: Vec<Expression>, join: impl FnOnce(Box<[Expression]>) -> Expression) -> Expression {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            join(parts.into_boxed_slice())
        }
    }
}
