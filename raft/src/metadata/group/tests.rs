//! What happens to a group as members come and go.
