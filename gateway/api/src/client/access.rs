//! Keys, principals, and who the caller is.

use std::time::Duration;

use hyper::Method;

use super::target::Target;
use super::{Client, ClientError, Created, Request, Tagged};
use crate::access::{CreatedKey, Key, KeyRequest, Principal, PrincipalSettings, Ticket, Whoami};
use crate::page::Page;

impl Client {
    /// Who the node takes this client for.
    ///
    /// # Errors
    /// The key is refused, or the node could not be asked.
    pub async fn whoami(&self) -> Result<Whoami, ClientError> {
        self.get(Target::new("/v1/whoami")).await?.json()
    }

    /// A ticket in this client's name.
    ///
    /// # Errors
    /// The key is refused, or the node could not be asked.
    pub async fn create_ticket(&self) -> Result<Ticket, ClientError> {
        let request = Request::new(Method::POST, "/v1/tickets".to_owned());
        self.call(request, Duration::ZERO).await?.json()
    }

    /// Makes a key. It is not repeated when the connection is lost: there may then be one whose secret nobody knows.
    ///
    /// # Errors
    /// There is no such principal, or it has as many keys as it may, or the caller may not make any.
    pub async fn create_key(&self, request: &KeyRequest) -> Result<CreatedKey, ClientError> {
        self.post(Target::new("/v1/keys"), request, Duration::ZERO).await?.json()
    }

    /// One page of the list of keys, by id.
    ///
    /// # Errors
    /// The page token is refused, or the caller may not see any.
    pub async fn keys(&self, page_size: Option<u32>, page_token: Option<&str>) -> Result<Page<Key>, ClientError> {
        self.get(page("/v1/keys", page_size, page_token)).await?.json()
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// There is no such key, or the caller may not delete any.
    pub async fn delete_key(&self, id: &str) -> Result<(), ClientError> {
        let request = Request::new(Method::DELETE, Target::new("/v1/keys").segment(id).into_string());
        self.call(request, Duration::ZERO).await.map(drop)
    }

    /// One page of the list of principals, by name.
    ///
    /// # Errors
    /// The page token is refused, or the caller may not see any.
    pub async fn principals(
        &self,
        page_size: Option<u32>,
        page_token: Option<&str>,
    ) -> Result<Page<Principal>, ClientError> {
        self.get(page("/v1/principals", page_size, page_token)).await?.json()
    }

    /// Shows a principal.
    ///
    /// # Errors
    /// There is no such principal, or the caller may not see any.
    pub async fn principal(&self, name: &str) -> Result<Tagged<Principal>, ClientError> {
        self.get(principal(name)).await?.tagged()
    }

    /// Creates a principal, or says anew what it may do; only if it still has the tag `if_match`, if that is given.
    ///
    /// # Errors
    /// It has changed since, or the settings are refused; nothing has changed.
    pub async fn put_principal(
        &self,
        name: &str,
        settings: &PrincipalSettings,
        if_match: Option<&str>,
    ) -> Result<Created<Principal>, ClientError> {
        let request = Request::new(Method::PUT, principal(name).into_string()).with_json(settings)?;
        self.call(request.if_match(if_match)?, Duration::ZERO).await?.created()
    }

    /// Deletes a principal and its keys.
    ///
    /// # Errors
    /// There is no such principal, or it has changed since it had the tag `if_match`; nothing has changed.
    pub async fn delete_principal(&self, name: &str, if_match: Option<&str>) -> Result<(), ClientError> {
        let request = Request::new(Method::DELETE, principal(name).into_string()).if_match(if_match)?;
        self.call(request, Duration::ZERO).await.map(drop)
    }
}

fn principal(name: &str) -> Target {
    Target::new("/v1/principals").segment(name)
}

fn page(path: &str, page_size: Option<u32>, page_token: Option<&str>) -> Target {
    Target::new(path).query_if("page_size", page_size).query_if("page_token", page_token)
}
