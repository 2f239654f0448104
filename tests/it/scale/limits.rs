//! One limit for all instances, and one for each while the Redis is away.

use crate::harness::TestServer;
use crate::harness::upstream::Upstream;
use crate::observe::{figure, metrics};

use super::redis::Redis;
use super::{instance, serve, wait_for_redis};

/// Requests a minute.
const LIMIT: usize = 6;

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
    assert!(
        keys.contains(&"srs:1:limit:resolve:net:127.0.0.1".to_owned()),
        "{keys:?}"
    );
    // What is no count counts as none.
    redis
        .ask(&["SET", "srs:1:limit:resolve:net:127.0.0.1", "nonsense"])
        .await;
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
