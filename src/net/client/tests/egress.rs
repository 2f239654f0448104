//! The way out: guard, roots and proxies.

use super::*;

#[tokio::test]
async fn fetch_and_open_dial_nothing_that_the_guard_refuses() {
    let upstream = Upstream::start(|_| "HTTP/1.1 200 OK\r\n\r\n").await;
    let client = client(&upstream);
    for (url, refused) in [
        ("http://evil.example/", GuardError::Host),
        ("http://127.0.0.1/?a.example", GuardError::IpLiteral),
        ("http://a.example:8080/", GuardError::Port),
    ] {
        for error in [
            fetch(&client, url).await.unwrap_err(),
            open(&client, url).await.unwrap_err(),
        ] {
            assert!(
                matches!(&error, NetError::Guard(found) if *found == refused),
                "{error}"
            );
        }
    }
    let error = open(&client, "no address").await.unwrap_err();
    assert!(
        matches!(error, NetError::Guard(GuardError::Malformed)),
        "{error}"
    );
    assert_eq!(upstream.heads(), Vec::<String>::new());
}

/// What a page and a file of `localhost` end with.
async fn errors_of(client: &Client, hosts: &HostList) -> [NetError; 2] {
    let url = Url::parse("http://localhost/").unwrap();
    let page = PageRequest {
        method: Method::GET,
        url: &url,
        headers: HeaderMap::new(),
        body: None,
        hosts,
        max_bytes: LIMIT,
        timeout: PATIENCE,
    };
    let media = MediaRequest {
        method: Method::GET,
        url: url.as_str(),
        range: RangeAsk::Whole,
        headers: &[],
        jar: &Jar::new(None),
        hosts,
    };
    let page = client.fetch(page, &mut Jar::new(None)).await;
    [page.unwrap_err(), client.open(media).await.unwrap_err()]
}

#[tokio::test]
async fn fetch_and_open_of_a_private_name_are_refused_by_the_guard() {
    let client = Client::new(config(&[])).unwrap();
    let hosts = HostList::new(["localhost"]);
    for error in errors_of(&client, &hosts).await {
        let is_private = matches!(error, NetError::Guard(GuardError::PrivateAddress));
        assert!(is_private, "{error}");
    }
}

#[tokio::test]
async fn tls_root_that_is_not_ours_is_refused() {
    let upstream = Upstream::start(|_| "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert!(
        fetch(&client(&upstream), "https://a.example/")
            .await
            .is_ok()
    );
    let proxy = format!("http://{}", upstream.address);
    let stranger = Client::new(config(&[("PROXY", &proxy)])).unwrap();
    let error = fetch(&stranger, "https://a.example/?secret")
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn proxy_http_gets_the_credentials() {
    let upstream = Upstream::start(|_| "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let proxy = format!("http://user:p%40ss@{}", upstream.address);
    let client = Client::new(config(&[("PROXY", &proxy)])).unwrap();
    fetch(&client, "http://a.example/").await.unwrap();
    // base64 of `user:p@ss`
    let header = "proxy-authorization: Basic dXNlcjpwQHNz\r\n";
    assert!(
        upstream.heads()[0].contains(header),
        "{}",
        upstream.heads()[0]
    );
    assert!(!format!("{client:?}").contains("p%40ss"));
}

#[tokio::test]
async fn proxy_socks_gets_the_name_and_the_credentials() {
    let upstream = Upstream::start(|_| "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let proxy = format!("socks5://user:pass@{}", upstream.address);
    let client = Client::new(config(&[("PROXY", &proxy)])).unwrap();
    fetch(&client, "http://a.example/").await.unwrap();
    assert_eq!(upstream.heads()[0], "SOCKS user pass 3 a.example 80");
    assert!(upstream.heads()[1].starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn proxy_that_is_not_there_is_a_connect_error_without_addresses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let proxy = format!("http://user:hunter2@{address}");
    let client = Client::new(config(&[("PROXY", &proxy)])).unwrap();
    let error = open(&client, "http://a.example/?sig=secret")
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::Connect { .. }), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn client_tells_whether_the_guard_is_relaxed() {
    let relaxed = config(&[("ALLOW_PRIVATE_UPSTREAM", "10.0.0.0/8")]);
    assert!(Client::new(relaxed).unwrap().is_guard_relaxed());
    assert!(!Client::new(config(&[])).unwrap().is_guard_relaxed());
}

/// The peer's address of the first connection to a listener, which answers both kinds of requests with nothing.
async fn peers_of(source: &str) -> Vec<std::net::IpAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:80").await;
    let Ok(listener) = listener else {
        return Vec::new();
    };
    let accepting = crate::task::spawn(async move {
        let mut peers = Vec::new();
        while peers.len() < 2 {
            let (_, peer) = listener.accept().await.unwrap();
            peers.push(peer.ip());
        }
        peers
    });
    let mut config = config(&[("ALLOW_PRIVATE_UPSTREAM", "127.0.0.0/8")]);
    config.source = source.parse().ok();
    let client = Client::new(config).unwrap();
    errors_of(&client, &HostList::new(["localhost"])).await;
    accepting.await.unwrap()
}

/// Needs the right to listen at port 80, as the guard knows no other.
#[tokio::test]
async fn pages_and_media_come_from_the_local_address() {
    let source = "127.0.0.7";
    let peers = peers_of(source).await;
    if peers.is_empty() {
        eprintln!("SKIPPED: local address: port 80 can't be had here");
        return;
    }
    let expected: std::net::IpAddr = source.parse().unwrap();
    assert_eq!(peers, [expected, expected]);
}
