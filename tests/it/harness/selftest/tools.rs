//! What is said of programs that are here, and of those that aren't.

use crate::harness::has_tool;

/// Programs that tests ask for, whose ways of telling their version differ.
const TOOLS: [&str; 8] = [
    "ffmpeg",
    "ffprobe",
    "curl",
    "groff",
    "jq",
    "node",
    "python3",
    "redis-server",
];

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[tokio::test]
async fn tool_that_is_here_is_found_and_no_other() {
    for tool in TOOLS {
        assert_eq!(has_tool(tool).await, is_on_path(tool), "{tool}");
    }
    assert!(!has_tool("no-program-of-this-name").await);
}
