//! Nodes that take each other's certificates, and everybody who is refused and hears why.

use std::net::Ipv4Addr;

use futures_lite::future;
use futures_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use glommio::{
    LocalExecutorBuilder, Placement,
    net::{TcpListener, TcpStream},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

const ADDRESS: &str = "127.0.0.1:7081";

fn issuer(name: &str) -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// A node with such a certificate of an issuer, which trusts the same issuer.
fn material(issuer: &Issuer, params: &CertificateParams) -> PeerTlsMaterial {
    let key = KeyPair::generate().unwrap();
    PeerTlsMaterial {
        certificates: params.signed_by(&key, issuer).unwrap().pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
        issuers: issuer.pem().into_bytes(),
    }
}

fn node(issuer: &Issuer, name: &str) -> PeerTls {
    PeerTls::new(material(issuer, &params(name)).setup().unwrap())
}

fn refused(material: &PeerTlsMaterial) -> String {
    material.setup().unwrap_err().to_string()
}

#[track_caller]
fn assert_says<T: std::fmt::Debug>(result: Result<T, String>, words: &str) {
    let reason = result.unwrap_err();
    assert!(reason.contains(words), "{reason}");
}

/// What both ends of a connection come to.
fn on_a_connection<A, B>(
    connecting: impl AsyncFnOnce(TcpStream) -> A + Send + 'static,
    accepting: impl AsyncFnOnce(TcpStream) -> B + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).spawn(|| async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connecting = async { connecting(TcpStream::connect(address).await.unwrap()).await };
        let accepting = async { accepting(listener.accept().await.unwrap()).await };
        future::zip(connecting, accepting).await
    });
    executor.unwrap().join().unwrap()
}

/// Speaks over a stream: what was heard, or why nothing was.
async fn speak(stream: Result<impl AsyncRead + AsyncWrite + Unpin, String>) -> Result<[u8; 5], String> {
    let words = |error: io::Error| in_words(&error).unwrap_or_else(|| error.to_string());
    let mut stream = stream?;
    let mut heard = [0; 5];
    stream.write_all(b"hello").await.map_err(words)?;
    stream.flush().await.map_err(words)?;
    stream.read_exact(&mut heard).await.map_err(words)?;
    Ok(heard)
}

type Heard = Result<[u8; 5], String>;

fn meet(connecting: (&PeerTls, Lane), accepting: (&PeerTls, Lane)) -> (Heard, Heard) {
    let ((one, one_lane), (two, two_lane)) = ((connecting.0.clone(), connecting.1), (accepting.0.clone(), accepting.1));
    on_a_connection(
        async move |stream| speak(one.connect(stream, one_lane, ADDRESS).await).await,
        async move |stream| speak(two.accept(stream, two_lane).await).await,
    )
}

#[test]
fn nodes_of_one_issuer_speak_on_each_lane() {
    let nodes = issuer("nodes");
    let (one, two) = (node(&nodes, "a.example"), node(&nodes, "127.0.0.1"));
    for lane in [Lane::Control, Lane::Shard(3)] {
        assert_eq!(meet((&one, lane), (&two, lane)), (Ok(*b"hello"), Ok(*b"hello")));
    }
    assert_eq!((one.handshakes(), two.handshakes()), ((2, 0), (2, 0)));
}

#[test]
fn a_node_of_another_issuer_is_refused_and_hears_why() {
    let (one, two) = (node(&issuer("others"), "127.0.0.1"), node(&issuer("nodes"), "127.0.0.1"));
    let (connecting, accepting) = meet((&one, Lane::Control), (&two, Lane::Control));
    assert_says(connecting, "the other node's certificate is of no issuer");
    assert_says(accepting, "the other node refuses this node's certificate: it is of no issuer");
    assert_eq!((one.handshakes(), two.handshakes()), ((0, 1), (0, 1)));
}

/// It trusts us, and we do not trust it.
#[test]
fn who_connects_with_a_certificate_of_another_issuer_hears_why() {
    let (nodes, others) = (issuer("nodes"), issuer("others"));
    let own = material(&others, &params("127.0.0.1"));
    let issuers = [own.issuers.clone(), nodes.pem().into_bytes()].concat();
    let one = PeerTls::new(PeerTlsMaterial { issuers, ..own }.setup().unwrap());
    let two = node(&nodes, "127.0.0.1");
    let (connecting, accepting) = meet((&one, Lane::Shard(0)), (&two, Lane::Shard(0)));
    assert_says(accepting, "the other node's certificate is of no issuer");
    assert_says(connecting, "the other node refuses this node's certificate: it is of no issuer");
}

#[test]
fn a_node_has_to_have_the_host_by_which_it_is_reached() {
    let nodes = issuer("nodes");
    let (one, two) = (node(&nodes, "127.0.0.1"), node(&nodes, "b.example"));
    let (connecting, _) = meet((&one, Lane::Control), (&two, Lane::Control));
    let reason = connecting.unwrap_err();
    assert!(reason.contains("has not the host") && reason.contains("b.example"), "{reason}");
}

#[test]
fn a_connection_can_not_be_turned_to_another_lane() {
    let nodes = issuer("nodes");
    let node = node(&nodes, "127.0.0.1");
    let (connecting, accepting) = meet((&node, Lane::Control), (&node, Lane::Shard(0)));
    assert_says(connecting, "another lane");
    assert_says(accepting, "another lane");
}

#[test]
fn who_shows_no_certificate_is_refused() {
    let nodes = issuer("nodes");
    let two = node(&nodes, "127.0.0.1");
    let mut roots = RootCertStore::empty();
    roots.add(nodes.der().clone()).unwrap();
    let (connecting, accepting) = on_a_connection(
        async move |stream| {
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
            let config = config.with_safe_default_protocol_versions().unwrap();
            let mut config = config.with_root_certificates(roots).with_no_client_auth();
            config.alpn_protocols = vec![b"pubsubring-control/1".to_vec()];
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(server_name(ADDRESS).unwrap(), stream).await;
            speak(stream.map_err(|error| error.to_string())).await
        },
        async move |stream| speak(two.accept(stream, Lane::Control).await).await,
    );
    assert_eq!(accepting, Err("the other side shows no certificate".to_owned()));
    assert_says(connecting, "CertificateRequired");
}

#[test]
fn what_speaks_tls_for_something_else_is_no_node() {
    let nodes = issuer("nodes");
    let (one, mut roots) = (node(&nodes, "127.0.0.1"), RootCertStore::empty());
    roots.add(nodes.der().clone()).unwrap();
    let (connecting, _) = on_a_connection(
        async move |stream| speak(one.connect(stream, Lane::Control, ADDRESS).await).await,
        async move |stream| {
            let two = node(&nodes, "127.0.0.1");
            // As a server that knows of no protocols.
            let mut config = (*two.lane(Lane::Control).accepting).clone();
            config.alpn_protocols.clear();
            speak(TlsAcceptor::from(Arc::new(config)).accept(stream).await.map_err(|error| error.to_string())).await
        },
    );
    assert_says(connecting, "is no node");
}

#[test]
fn a_side_without_tls_is_known_for_what_it_is() {
    let nodes = issuer("nodes");
    let (one, two) = (node(&nodes, "127.0.0.1"), node(&nodes, "127.0.0.1"));
    let plain = async move |mut stream: TcpStream| {
        stream.write_all(b"\x5c\0\0\0 as a Hello begins").await.unwrap();
        // It is read to the end, so that nothing is taken back.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let accepted = on_a_connection(plain, async move |stream| two.accept(stream, Lane::Control).await.map(drop)).1;
    assert_says(accepted, "the other side speaks no TLS");
    let connected =
        on_a_connection(async move |stream| one.connect(stream, Lane::Control, ADDRESS).await.map(drop), plain).0;
    assert_says(connected, "the other side speaks no TLS");
}

#[test]
fn new_connections_use_a_new_setup() {
    let (old, new) = (issuer("old"), issuer("new"));
    let (one, two) = (node(&old, "127.0.0.1"), node(&old, "127.0.0.1"));
    one.replace(material(&new, &params("127.0.0.1")).setup().unwrap());
    assert!(meet((&one, Lane::Control), (&two, Lane::Control)).0.is_err());
    two.replace(material(&new, &params("127.0.0.1")).setup().unwrap());
    assert!(meet((&one, Lane::Control), (&two, Lane::Control)).0.is_ok());
}

#[test]
fn the_host_of_an_address_is_what_a_certificate_has() {
    for (address, host) in
        [("a.example:1", "a.example"), ("192.0.2.1:1", "192.0.2.1"), ("[2001:db8::1]:1", "2001:db8::1")]
    {
        assert_eq!(server_name(address).unwrap().to_str(), host);
    }
    assert!(server_name("not a name:1").is_err());
}

#[test]
fn what_another_node_would_not_take_is_no_setup() {
    let nodes = issuer("nodes");
    let good = material(&nodes, &params("a.example"));
    assert!(good.setup().is_ok());
    let other = PeerTlsMaterial { issuers: issuer("others").pem().into_bytes(), ..good.clone() };
    assert!(refused(&other).starts_with("no node that trusts these issuers"));
    let mut expired = params("a.example");
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    assert!(refused(&material(&nodes, &expired)).contains("expired"));
    for purpose in [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth] {
        let mut one_sided = params("a.example");
        one_sided.extended_key_usages = vec![purpose];
        assert!(refused(&material(&nodes, &one_sided)).starts_with("no node that trusts these issuers"));
    }
    let mut both = params("a.example");
    both.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    assert!(material(&nodes, &both).setup().is_ok());
}

#[test]
fn what_is_missing_or_does_not_belong_together_is_no_setup() {
    let nodes = issuer("nodes");
    let good = material(&nodes, &params("a.example"));
    let mixed = PeerTlsMaterial { key: material(&nodes, &params("a.example")).key, ..good.clone() };
    assert!(refused(&mixed).starts_with("the certificate and its key can't be used"));
    assert_eq!(refused(&PeerTlsMaterial { key: Vec::new(), ..good.clone() }), "there is no key");
    assert_eq!(refused(&PeerTlsMaterial { certificates: Vec::new(), ..good.clone() }), "there is no certificate");
    assert_eq!(refused(&PeerTlsMaterial { issuers: Vec::new(), ..good.clone() }), "there is no issuer of nodes");
    let half = PeerTlsMaterial { certificates: good.certificates[..80].to_vec(), ..good };
    assert!(refused(&half).contains("PEM"));
}

#[test]
fn no_key_is_shown() {
    let setup = material(&issuer("nodes"), &params("a.example")).setup().unwrap();
    assert_eq!(
        format!("{setup:?} {:?}", PeerTls::new(material(&issuer("n"), &params("a")).setup().unwrap())),
        "PeerTlsSetup { .. } PeerTls { .. }"
    );
}
