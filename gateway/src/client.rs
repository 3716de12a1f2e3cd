//! What is known of the client of a connection, for as long as the connection stands.

use std::{cell::RefCell, net::SocketAddr, sync::Arc};

use raft::metadata::Access;
use subtle::ConstantTimeEq;

use crate::auth::Identity;

/// The other end of a connection.
#[derive(Debug, Default)]
pub struct Client {
    /// Where it connected from.
    pub address: Option<SocketAddr>,
    /// The principal that its certificate names, if TLS has proved one.
    pub certificate: Option<Arc<str>>,
    known: RefCell<Option<Box<Known>>>,
}

/// The credential that was sent last, and whom it proved.
#[derive(Debug)]
struct Known {
    credential: Box<[u8]>,
    access: Arc<Access>,
    identity: Arc<Identity>,
}

impl Client {
    /// A client that connected from there, perhaps with a certificate of this name.
    #[must_use]
    pub fn at(address: Option<SocketAddr>, certificate: Option<Arc<str>>) -> Self {
        Self { address, certificate, ..Self::default() }
    }

    /// Whom this credential proved on this connection, while principals and keys were as they are.
    pub(crate) fn recall(&self, credential: &str, access: &Arc<Access>) -> Option<Arc<Identity>> {
        let known = self.known.borrow();
        let known = known.as_deref().filter(|known| Arc::ptr_eq(&known.access, access))?;
        // A proxy may send many clients' requests over one connection: the time tells none of them of another's key.
        is_same(&known.credential, credential.as_bytes()).then(|| Arc::clone(&known.identity))
    }

    /// Keeps whom a credential proved.
    pub(crate) fn remember(&self, credential: &str, access: &Arc<Access>, identity: &Arc<Identity>) {
        let (access, identity) = (Arc::clone(access), Arc::clone(identity));
        *self.known.borrow_mut() = Some(Box::new(Known { credential: credential.as_bytes().into(), access, identity }));
    }
}

/// Whether both are the same, in a time that only their length decides. Each request with a key is compared, so that it is
/// done eight bytes at a time.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut same = rest.ct_eq(other_rest);
    for (word, other) in words.iter().zip(other_words) {
        same &= u64::from_ne_bytes(*word).ct_eq(&u64::from_ne_bytes(*other));
    }
    same.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use raft::metadata::PrincipalName;

    use super::*;
    use crate::auth::Proof;

    #[test]
    fn a_credential_is_known_again_until_keys_change() {
        let (client, access) = (Client::default(), Arc::new(Access::default()));
        assert!(client.recall("Bearer a", &access).is_none());
        let name = PrincipalName::new("ci").unwrap();
        let identity = Arc::new(Identity {
            name,
            principal: None,
            proof: Proof::Bearer,
            expires_at: None,
            trusted_until: None,
            usage: Arc::default(),
        });
        client.remember("Bearer a", &access, &identity);
        assert!(client.recall("Bearer a", &access).is_some());
        assert!(client.recall("Bearer b", &access).is_none() && client.recall("Bearer", &access).is_none());
        assert!(client.recall("Bearer a", &Arc::new(Access::default())).is_none());
    }

    proptest! {
        #[test]
        fn credentials_are_the_same_if_every_byte_is(one: Vec<u8>, place: usize, change in 1_u8..=255) {
            prop_assert!(is_same(&one, &one.clone()));
            let mut other = one.clone();
            if let Some(byte) = place.checked_rem(one.len()).and_then(|place| other.get_mut(place)) {
                *byte ^= change;
                prop_assert!(!is_same(&one, &other));
            }
            other.push(0);
            prop_assert!(!is_same(&one, &other));
        }
    }
}
