//! Query parameters: each known by name, each of its type.

use std::str::FromStr;

use gateway_api::{Code, Problem, error::FieldError};

use crate::{
    error::{self, Failure},
    http::request::Request,
};

/// Refuses parameters that the operation doesn't have, and those that are there twice.
pub(super) fn check_names(request: &Request, known: &[&str]) -> Result<(), Failure> {
    for (index, (name, _)) in request.query_pairs().enumerate() {
        if !known.contains(&name) {
            let field = FieldError { index: None, field: name.to_owned(), code: Code::UnknownField, detail: None };
            let detail = format!("`{name}` is not a parameter of this request; it has {}", known.join(", "));
            return Err(Problem::new(Code::UnknownField, detail).with_errors(vec![field]).into());
        }
        if request.query_pairs().take(index).any(|(earlier, _)| earlier == name) {
            return Err(error::invalid(name, "given twice"));
        }
    }
    Ok(())
}

/// The value of a parameter, if it is there.
pub(super) fn value<T: FromStr>(request: &Request, name: &str, expected: &str) -> Result<Option<T>, Failure> {
    let Some(text) = request.query(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| error::invalid(name, format!("`{text}` is not {expected}")))
}

/// A whole number up to `max`, or `default`.
pub(super) fn number(request: &Request, name: &str, default: u64, max: u64) -> Result<u64, Failure> {
    let number = value(request, name, "a whole number")?.unwrap_or(default);
    if number > max {
        return Err(error::invalid(name, format!("{number} is above {max}")));
    }
    Ok(number)
}
