//! The image's context against the manifest: a Docker engine is not at hand, so what it would miss is checked here.

use std::path::Path;

const MANIFEST: &str = include_str!("../../Cargo.toml");
const DOCKERFILE: &str = include_str!("../../Dockerfile");
const DOCKERIGNORE: &str = include_str!("../../.dockerignore");
const COMPOSE: &str = include_str!("../../docker-compose.yml");

/// Folders whose files cargo wants to see because the manifest names targets in them.
fn folders_of_targets() -> Vec<&'static str> {
    let named = [("[[bench]]", "benches"), ("[[example]]", "examples")];
    let mut folders: Vec<_> = named
        .into_iter()
        .filter(|(table, _)| MANIFEST.contains(table))
        .map(|(_, folder)| folder)
        .collect();
    folders.push("src");
    folders
}

#[test]
fn image_is_built_from_all_that_the_manifest_names() {
    for folder in folders_of_targets() {
        assert!(
            DOCKERFILE.contains(&format!("COPY {folder} ./{folder}")),
            "the image misses {folder}"
        );
        assert!(
            DOCKERIGNORE
                .lines()
                .any(|line| line == format!("!{folder}")),
            "the context misses {folder}"
        );
    }
}

#[test]
fn files_that_the_compose_file_mounts_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mounted: Vec<&str> = COMPOSE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ./")?.split(':').next())
        .collect();
    assert!(mounted.len() >= 2, "{mounted:?}");
    for path in mounted {
        assert!(root.join(path).exists(), "{path}");
    }
}
