//! The image's context against the manifest: a Docker engine is not at hand, so what it would miss is checked here.

const MANIFEST: &str = include_str!("../../../Cargo.toml");
const DOCKERFILE: &str = include_str!("../../../Dockerfile");
const DOCKERIGNORE: &str = include_str!("../../../.dockerignore");

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

/// The instructions of the stages that are shipped, each with what stands behind it; lines that are continued are one.
fn shipped_stages() -> Vec<Vec<(String, String)>> {
    let text = DOCKERFILE.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let instructions: Vec<_> = lines.filter_map(|line| line.split_once(' ')).collect();
    let starts: Vec<usize> = (0..instructions.len())
        .filter(|&at| instructions[at].0 == "FROM")
        .collect();
    let ends = starts[1..].iter().copied().chain([instructions.len()]);
    let stages = starts.iter().zip(ends).map(|(&start, end)| {
        let stage = instructions[start..end].iter();
        stage
            .map(|(name, rest)| ((*name).to_owned(), rest.trim().to_owned()))
            .collect()
    });
    // The first one builds.
    stages.skip(1).collect()
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
fn every_shipped_stage_has_no_root_no_shell_in_between_and_asks_for_its_health() {
    let stages = shipped_stages();
    assert_eq!(stages.len(), 2);
    for stage in stages {
        let last = |name: &str| {
            let found = stage.iter().rfind(|(instruction, _)| instruction == name);
            found.map_or("", |(_, rest)| rest.as_str())
        };
        assert_eq!(last("USER"), "65532:65532");
        assert_eq!(last("ENTRYPOINT"), "[\"/serverrs\"]");
        assert!(last("HEALTHCHECK").ends_with("CMD [\"/serverrs\", \"health\"]"));
        assert_eq!(last("STOPSIGNAL"), "SIGTERM");
        assert!(last("ENV").contains("TEMP_DIR=/data/temp"));
        assert_eq!(
            last("VOLUME"),
            "[\"/data/temp\", \"/data/state\", \"/data/streams\"]"
        );
    }
}
