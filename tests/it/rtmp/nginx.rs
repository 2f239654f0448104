//! Publishing to Debian's nginx with its RTMP module, in the clear and through its TLS, and pulling the result back.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serverrs::broadcast::flv::{Tag, TagKind};
use serverrs::broadcast::publisher::{Connect, Publisher};
use serverrs::broadcast::pump::{PumpConfig, PumpEnd, pump};
use serverrs::broadcast::splicer::{Splicer, Step};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::playback::{Made, decode, item, make, packets, steps};
use super::{KEY, METADATA, publisher, publisher_with};
use crate::harness::skip;

const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const TLS_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

struct Nginx {
    dir: TempDir,
    port: u16,
    tls_port: u16,
    _child: Child,
}

fn program() -> Option<PathBuf> {
    // Debian keeps it out of the path of users.
    let found = ["/usr/sbin/nginx", "/usr/bin/nginx"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists());
    found.filter(|_| {
        [MODULE, TLS_MODULE]
            .iter()
            .all(|module| Path::new(module).exists())
    })
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

impl Nginx {
    /// Records what is published to `live`; a stream's name is its key up to the `?`.
    async fn start() -> Option<Self> {
        let Some(program) = program() else {
            skip(
                "nginx-rtmp",
                "libnginx-mod-rtmp and libnginx-mod-stream are not installed",
            );
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(dir.path().join("cert.pem"), own.cert.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), own.signing_key.serialize_pem()).unwrap();
        std::fs::create_dir(dir.path().join("records")).unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let home = dir.path().display();
        let config = format!(
            "load_module {MODULE};\nload_module {TLS_MODULE};\n\
             daemon off;\nmaster_process off;\npid {home}/pid;\nerror_log {home}/error.log info;\n\
             events {{ worker_connections 64; }}\n\
             rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; ping 1s; ping_timeout 5s; application live {{\n\
               live on; record all; record_path {home}/records; record_unique off; }} }} }}\n\
             stream {{ server {{ listen 127.0.0.1:{tls_port} ssl; proxy_pass 127.0.0.1:{port};\n\
               ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem; }} }}\n"
        );
        std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let child = Command::new(program)
            .arg("-e")
            .arg(dir.path().join("error.log"))
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let nginx = Self {
            dir,
            port,
            tls_port,
            _child: child,
        };
        nginx.ready().await;
        Some(nginx)
    }

    async fn ready(&self) {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.tls_port))
            .await
            .is_err()
        {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }

    /// The file of what was published, once nginx has closed it.
    async fn record(&self) -> PathBuf {
        let begun = Instant::now();
        while !self.log().contains("deleteStream") && !self.log().contains("disconnect") {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let name = KEY.split('?').next().unwrap();
        self.dir.path().join("records").join(format!("{name}.flv"))
    }
}

async fn publish(made: Made, connect: impl Connect, ids: &[usize]) {
    let headers = made.slate.headers().clone();
    let config = PumpConfig::new(made.slate, METADATA);
    let (pump, handle, _events) = pump(config, connect);
    for (id, shape) in ids.iter().enumerate() {
        handle.queue(item(id as u64, &made.items[*shape], &headers));
    }
    handle.finish();
    let end = pump.run().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
}

/// Steps of the times in a file, and that all of it decodes.
async fn assert_playable(dir: &Path, file: &str, pictures: usize) {
    let times = packets(dir, file, "v").await;
    assert!(times.len() >= pictures, "{}", times.len());
    let (min, max) = steps(&times);
    assert!(min >= 32 && max <= 35, "pictures: {min} {max}");
    let (min, max) = steps(&packets(dir, file, "a").await);
    assert!(min >= 7 && max <= 44, "sound: {min} {max}");
    assert_eq!(decode(dir, file).await, times.len());
}

#[tokio::test]
async fn nginx_records_and_serves_what_is_published() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    let Some(made) = make(nginx.dir.path()).await else {
        return;
    };
    let url = format!("rtmp://127.0.0.1:{}/live", nginx.port);
    let pulled = nginx.dir.path().join("pulled.flv");
    let source = format!("{url}/{}", KEY.split('?').next().unwrap());
    // A viewer from the beginning, who leaves after four seconds.
    let viewer = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-nostdin",
            "-rw_timeout",
            "20000000",
            "-i",
            &source,
        ])
        .args(["-t", "4", "-map", "0", "-c", "copy", "-f", "flv"])
        .arg(&pulled)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let viewing = tokio::time::timeout(Duration::from_secs(60), viewer.wait_with_output());
    let ((), viewed) = tokio::join!(
        publish(made, publisher(&url, nginx.port), &[0, 1, 2]),
        viewing
    );
    let viewed = viewed.unwrap().unwrap();
    assert!(viewed.status.success(), "{viewed:?}\n{}", nginx.log());
    nginx.record().await;
    // 3.1 s, 2 s and 2.7 s.
    assert_playable(&nginx.dir.path().join("records"), "canary-7f3a.flv", 234).await;
    assert_playable(nginx.dir.path(), "pulled.flv", 60).await;
}

#[tokio::test]
async fn nginx_takes_a_broadcast_over_tls() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    let Some(made) = make(nginx.dir.path()).await else {
        return;
    };
    let url = format!("rtmps://127.0.0.1:{}/live", nginx.tls_port);
    let roots = nginx.dir.path().join("cert.pem");
    let trusted = [("EXTRA_CA_FILE", roots.to_str().unwrap())];
    publish(made, publisher_with(&url, nginx.tls_port, &trusted), &[1]).await;
    let record = nginx.record().await;
    assert_playable(record.parent().unwrap(), "canary-7f3a.flv", 60).await;
}

/// Times as after 4.66 hours: extended, before every piece of a picture.
#[tokio::test]
async fn nginx_understands_times_over_24_bits() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    let Some(made) = make(nginx.dir.path()).await else {
        return;
    };
    let headers = made.slate.headers().clone();
    let mut splicer = Splicer::new(made.slate, false);
    splicer.queue(item(1, &made.items[3], &headers));
    splicer.finish();
    let url = format!("rtmp://127.0.0.1:{}/live", nginx.port);
    let mut publisher = publisher(&url, nginx.port).connect().await.unwrap();
    let records = [
        (TagKind::Video, headers.video),
        (TagKind::Audio, headers.audio),
    ];
    for (kind, data) in records {
        let tag = Tag {
            kind,
            timestamp_ms: 0x100_0000,
            data,
        };
        publisher.send(&tag).await.unwrap();
    }
    let mut sent = 0;
    while let Step::Unit(unit) = splicer.step() {
        for stamped in unit.tags {
            let timestamp_ms =
                0x100_0000 + u32::try_from((stamped.at.as_nanos() + 500_000) / 1_000_000).unwrap();
            sent += usize::from(stamped.kind == TagKind::Video);
            let (kind, data) = (stamped.kind, stamped.data);
            publisher
                .send(&Tag {
                    kind,
                    timestamp_ms,
                    data,
                })
                .await
                .unwrap();
        }
    }
    publisher.close().await;
    let record = nginx.record().await;
    assert_playable(record.parent().unwrap(), "canary-7f3a.flv", sent).await;
}
