//! The compose files: what they promise of every server, and that all they name is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use serverrs::config::Env;
use serverrs::net::EgressConfig;

use crate::config::{names_asked_for, names_in_example};
use crate::harness::{PythonEnv, run, skip};

/// Variables of the compose files themselves.
const OF_COMPOSE: [&str; 1] = ["SERVERRS_TARGET"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The compose files that people start.
fn variants() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root()).expect("the project");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_variant = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.starts_with("docker-compose") && name.ends_with(".yml")
    };
    let mut variants: Vec<_> = paths.filter(is_variant).collect();
    variants.sort();
    assert!(variants.len() >= 3, "{variants:?}");
    variants
}

/// The services of a file, extensions followed. Their relative paths are those of the file that names them.
struct Reader(PythonEnv);

impl Reader {
    /// `None`, said aloud, without Python.
    async fn open() -> Option<Self> {
        match PythonEnv::with("yaml-venv", &["pyyaml==6.0.3"]).await {
            Ok(python) => Some(Self(python)),
            Err(reason) => {
                skip("python", &reason);
                None
            }
        }
    }

    async fn file(&self, path: &Path) -> Value {
        let script = "import sys, json, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
        let path = path.to_str().expect("text");
        let arguments = ["-c", script, path];
        let output = run(self.0.python(), arguments, &BTreeMap::new(), root()).await;
        assert!(output.status.success(), "{path}: {output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    async fn services(&self, path: &Path) -> Map<String, Value> {
        let mut services = self.file(path).await["services"].clone();
        for service in services.as_object_mut().expect("services").values_mut() {
            absolute(service, path);
            let Some(extended) = service["extends"]["file"].as_str() else {
                continue;
            };
            let base = root().join(extended);
            let name = service["extends"]["service"].as_str().expect("a service");
            let mut whole = self.file(&base).await["services"][name].clone();
            absolute(&mut whole, &base);
            merge(&mut whole, service);
            *service = whole;
        }
        services.as_object().expect("services").clone()
    }
}

/// Makes the host's side of mounts absolute.
fn absolute(service: &mut Value, file: &Path) {
    let folder = file.parent().expect("a folder");
    let mounts = service.get_mut("volumes").and_then(Value::as_array_mut);
    for mount in mounts.into_iter().flatten() {
        let text = mount.as_str().expect("a mount").to_owned();
        if text.starts_with('.') {
            *mount = folder.join(text).to_string_lossy().into_owned().into();
        }
    }
}

/// As compose does: fields of maps one by one, lists added to.
fn merge(base: &mut Value, more: &Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (name, value) in more {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(more)) => base.extend(more.clone()),
        (base, more) => *base = more.clone(),
    }
}

fn is_server(service: &Value) -> bool {
    service["image"] == "serverrs"
}

/// Names in `${NAME…}`.
fn interpolated(text: &str) -> Vec<String> {
    let parts = text.split("${").skip(1);
    parts
        .map(|part| {
            let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
            part.chars().take_while(|char| is_name(*char)).collect()
        })
        .collect()
}

#[tokio::test]
async fn every_server_is_confined() {
    let Some(reader) = Reader::open().await else {
        return;
    };
    for path in variants() {
        let services = reader.services(&path).await;
        let servers: Vec<_> = services
            .values()
            .filter(|service| is_server(service))
            .collect();
        assert!(!servers.is_empty(), "{path:?}");
        for server in servers {
            let what = format!("{path:?}: {server:#}");
            assert_eq!(server["read_only"], true, "{what}");
            assert_eq!(server["cap_drop"], serde_json::json!(["ALL"]), "{what}");
            assert!(
                server.get("cap_add").is_none() && server.get("privileged").is_none(),
                "{what}"
            );
            assert_eq!(
                server["security_opt"],
                serde_json::json!(["no-new-privileges:true"]),
                "{what}"
            );
            assert_eq!(server["user"], "65532:65532", "{what}");
            assert_eq!(server["environment"]["TEMP_DIR"], "/data/temp", "{what}");
            let temp = server["tmpfs"][0].as_str().expect("a tmpfs");
            assert!(
                temp.starts_with("/data/temp:uid=65532,gid=65532,mode=0700"),
                "{what}"
            );
            // SHUTDOWN_GRACE is 30 s.
            assert_eq!(server["stop_grace_period"], "40s", "{what}");
        }
    }
}

#[tokio::test]
async fn every_variable_that_is_named_exists() {
    let Some(reader) = Reader::open().await else {
        return;
    };
    let (asked, listed) = (names_asked_for(), names_in_example());
    let base = root().join("deploy/base.compose.yml");
    for path in variants().into_iter().chain([base]) {
        let text = std::fs::read_to_string(&path).expect("the file");
        for name in interpolated(&text) {
            let is_known = OF_COMPOSE.contains(&name.as_str()) || listed.contains(&name);
            assert!(is_known, "{path:?}: {name} is not in .env.example");
        }
        let services = reader.services(&path).await;
        for service in services.values().filter(|service| is_server(service)) {
            for (name, value) in service["environment"].as_object().expect("variables") {
                assert!(
                    asked.contains(name),
                    "{path:?}: the server asks for no {name}"
                );
                let is_secret = ["KEY", "PASSWORD", "TOKEN", "SECRET"]
                    .iter()
                    .any(|word| name.contains(word));
                let value = value.as_str().expect("text");
                assert!(
                    !is_secret || value.starts_with("${"),
                    "{path:?}: {name} stands in the file"
                );
            }
        }
    }
}

/// They share one address, and so one way out of one name: what it was told is good for all.
#[tokio::test]
async fn replicas_name_the_one_way_that_they_leave_by() {
    let Some(reader) = Reader::open().await else {
        return;
    };
    let services = reader
        .services(&root().join("docker-compose.scale.yml"))
        .await;
    let replicas: Vec<_> = services.values().filter(|one| is_server(one)).collect();
    let of = |name: &str| -> BTreeSet<String> {
        let values = replicas.iter().map(|one| &one["environment"][name]);
        values
            .map(|value| value.as_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(replicas.len(), 3);
    assert_eq!(of("INSTANCE_ID").len(), 3, "each has a name of its own");
    let ways = of("EGRESS");
    assert_eq!(ways.len(), 1, "{ways:?}");
    let way = ways.first().and_then(|way| way.strip_prefix("${EGRESS:-"));
    let way = way
        .and_then(|way| way.strip_suffix('}'))
        .expect("a default");
    let mut env = Env::from_pairs([("EGRESS", way)]);
    let config = EgressConfig::from_env(&mut env);
    env.finish().expect("no faults");
    assert!(config.has("home"));
}

#[tokio::test]
async fn files_and_volumes_that_are_mounted_are_there() {
    let Some(reader) = Reader::open().await else {
        return;
    };
    for path in variants() {
        let volumes = reader.file(&path).await["volumes"].clone();
        let mut count = 0;
        for mount in reader.services(&path).await.values().flat_map(mounts) {
            let is_there = match mount.strip_prefix('/') {
                Some(_) => Path::new(&mount).exists(),
                None => volumes.get(&mount).is_some(),
            };
            assert!(is_there, "{path:?}: {mount}");
            count += 1;
        }
        assert!(count >= 2, "{path:?}: {count}");
    }
}

/// The host's side of the mounts of a service.
fn mounts(service: &Value) -> Vec<String> {
    let mounts = service["volumes"].as_array().into_iter().flatten();
    let sides = mounts.filter_map(|mount| mount.as_str()?.split(':').next());
    sides.map(str::to_owned).collect()
}
