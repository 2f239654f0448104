//! One limit for all instances, and one for each while the Redis is away.

use http::Method;
use serde_json::json;

use crate::harness::upstream::{Upstream, sha256_hex};
use crate::harness::{TestServer, fetch};
use crate::observe::{figure, metrics};

use super::redis::Redis;
use super::{instance, serve, wait_for_redis};

/// Requests a minute.
const LIMIT: usize = 6;
/// What the names of counts begin with, before 32 hexadecimal digits.
const COUNTS: &str = "srs:1:limit:resolve:";
const KEY: &str = "key-number-1-of-these-tests";

/// Asks each instance as often as one alone allows; returns how many were let in.
async fn let_in(servers: &[TestServer], url: &str) -> usize {
    let mut count = 0;
    for _ in 0..LIMIT {
        for server in servers {
            let (status, headers, body) = server.api().post_tiktok(url).await;
            match status.as_u16() {
                200 => count += 1,
                429 => {
                    assert_eq!(body["error_code"], "rate_limited");
                    assert!(headers.contains_key("retry-after"), "{headers:?}");
                }
                other => panic!("{other}: {body:#}"),
            }
        }
    }
    count
}

/// Calls that Redis has not answered so far: on a busy machine one may be late. An instance may have counted as many
/// requests by itself.
async fn unanswered(servers: &[TestServer]) -> usize {
    let mut count = 0.0;
    for server in servers {
        let page = metrics(server.api()).await;
        for result in ["failed", "away"] {
            let series = format!("serverrs_redis_calls_total{{result=\"{result}\"}}");
            count += figure(&page, &series);
        }
    }
    format!("{count}").parse().expect("a whole number")
}

#[tokio::test]
async fn instances_keep_one_limit_together_and_each_its_own_without_redis() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let mut servers = Vec::new();
    for name in ["a", "b"] {
        let server = instance(&upstream, name, &redis.url())
            .env("RATE_LIMIT_PER_MINUTE", &LIMIT.to_string())
            .start()
            .await;
        wait_for_redis(&server, "connected").await;
        servers.push(server);
    }
    let url = serve(&upstream, 2000);
    // One comes back every ten seconds.
    let together = let_in(&servers, &url).await;
    let by_themselves = unanswered(&servers).await;
    assert!(
        (LIMIT..LIMIT + 3 + by_themselves).contains(&together),
        "{together}, {by_themselves}"
    );
    let keys = redis.keys().await;
    let counts: Vec<_> = keys.iter().filter(|key| key.starts_with(COUNTS)).collect();
    assert_eq!(counts.len(), 1, "{keys:?}");
    // What is no count counts as none.
    redis.ask(&["SET", counts[0], "nonsense"]).await;
    let (status, _, _) = servers[0].api().post_tiktok(&url).await;
    assert_eq!(status, 200);
    let by_themselves = unanswered(&servers).await;
    redis.kill().await;
    for server in &servers {
        wait_for_redis(server, "disconnected").await;
    }
    let apart = let_in(&servers, &url).await;
    assert!(
        apart + by_themselves >= 2 * LIMIT,
        "{apart}, {by_themselves}"
    );
}

#[tokio::test]
async fn counts_have_the_same_names_everywhere_and_say_nothing_of_who_asks() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let entry = json!([{ "id": "alice-of-accounts", "sha256": sha256_hex(KEY.as_bytes()) }]);
    let mut servers = Vec::new();
    for name in ["a", "b"] {
        let server = instance(&upstream, name, &redis.url())
            .file("keys.json", &entry.to_string())
            .secret(KEY)
            .env("API_KEYS_FILE", "keys.json")
            .env("TRUSTED_PROXIES", "127.0.0.1")
            .env("RATE_LIMIT_PER_MINUTE", "60")
            .start()
            .await;
        wait_for_redis(&server, "connected").await;
        servers.push(server);
    }
    for server in &servers {
        for (name, value, status) in [
            ("x-api-key", KEY, 400),
            ("x-forwarded-for", "203.0.113.77", 401),
            ("x-forwarded-for", "2001:db8:900d:1::1", 401),
        ] {
            let request = server.api().request(Method::POST, "/resolve");
            let request = request.body(r#"{"url":"https://example.com/"}"#);
            let answer = fetch(request.header(name, value)).await;
            assert_eq!(answer.status, status, "{name}: {value}");
        }
    }
    // One for the key and one for each network, whichever instance counts; and nothing else lies there.
    let keys = redis.keys().await;
    assert_eq!(keys.len(), 3, "{keys:?}");
    for key in &keys {
        let name = key.strip_prefix(COUNTS).unwrap_or_default();
        let is_hex = name.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(name.len() == 32 && is_hex, "{keys:?}");
    }
}
