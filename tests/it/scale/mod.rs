//! Several instances: with a real Redis between them, and behind a real nginx with the sample of `deploy/`.

mod faults;
mod limits;
mod nginx;
mod redis;
mod replicas;
mod rolling;

pub(crate) use self::redis::Redis;

use crate::harness::upstream::Upstream;
use crate::harness::upstream::tiktok::{Item, Post};
use crate::harness::{Builder, TestServer, eventually};

/// A post of its own number, on the site.
fn serve(upstream: &Upstream, number: u64) -> String {
    let item = Item::video(&(7_524_919_459_643_960_000 + number).to_string());
    let post = Post::new(&item);
    let url = post.url();
    post.serve(&upstream.world);
    url
}

/// An instance that shares what it knows.
fn instance(upstream: &Upstream, name: &str, redis_url: &str) -> Builder {
    Builder::new(upstream)
        .env("INSTANCE_ID", name)
        .env("REDIS_URL", redis_url)
}

/// Returns when `/health` says this of the Redis.
async fn wait_for_redis(server: &TestServer, status: &str) {
    eventually(&format!("Redis is {status}"), async || {
        let health = server.api().get("/health").await.json();
        (health["redis"]["status"] == status).then_some(())
    })
    .await;
}

/// Instances that have found the Redis.
async fn instances<const N: usize>(
    upstream: &Upstream,
    redis: &Redis,
    names: [&str; N],
) -> Vec<TestServer> {
    let mut servers = Vec::new();
    for name in names {
        let server = instance(upstream, name, &redis.url()).start().await;
        wait_for_redis(&server, "connected").await;
        servers.push(server);
    }
    servers
}
