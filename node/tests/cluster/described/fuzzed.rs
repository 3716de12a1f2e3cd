//! schemathesis reads the description and sends what it can think of.
