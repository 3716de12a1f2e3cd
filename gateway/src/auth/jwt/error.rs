//! Why a token is refused.

/// Why a token proves nobody. Whoever sent it is told only that; the reason is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum JwtError {
    #[error("it is longer than a token may be")]
    TooLong,
    #[error("it is no JWS in compact form")]
    Malformed,
    #[error("its header or its claims are no JSON object in which each name is there once")]
    Json,
    #[error("its algorithm is not one that is taken")]
    Algorithm,
    #[error("its type is not that of a token for access or identity")]
    Type,
    #[error("its header brings keys, points to some, or asks for extensions")]
    Header,
    #[error("no key of the set is meant by it")]
    Key,
    #[error("its signature is not by the key it names")]
    Signature,
    #[error("a claim that it must have is missing or of the wrong type")]
    Claim,
    #[error("it was issued by somebody else")]
    Issuer,
    #[error("it is meant for somebody else")]
    Audience,
    #[error("its subject is no name that a client can have")]
    Subject,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYetValid,
}
