//! The script that runs the fuzzer, with stand-ins for cargo and for what it builds: every target has its turn, whichever
//! breaks, and those that broke are named.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::harness::run;

/// "Builds" a fuzzer that says what libFuzzer says, and breaks for two of the targets.
const CARGO: &str = r#"#!/bin/sh
echo "$@" >"$HOME/built"
while [ "$1" != --target-dir ]; do shift; done
mkdir -p "$2/host/release"
cat >"$2/host/release/fuzz" <<'END'
#!/bin/sh
echo "$FUZZ_TARGET" >>"$HOME/ran"
case "$FUZZ_TARGET" in flv | range)
    echo "==1== ERROR: libFuzzer: deadly signal" >&2
    exit 77
esac
cat >&2 <<'SAID'
#2 INITED cov: 11 ft: 12 corp: 1/1b
#4096 DONE cov: 345 ft: 678 corp: 9/99b
stat::number_of_executed_units: 4096
stat::peak_rss_mb:              38
SAID
END
chmod +x "$2/host/release/fuzz"
"#;

const RUSTC: &str = "#!/bin/sh\necho 'host: x86_64-unknown-linux-gnu'\n";

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a program");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// The script beside corpora of four targets.
fn stage() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/run.sh");
    for target in ["boxes", "flv", "head", "range"] {
        std::fs::create_dir_all(folder.path().join("fuzz/corpus").join(target)).expect("a corpus");
    }
    std::fs::copy(script, folder.path().join("fuzz/run.sh")).expect("the script");
    let programs = folder.path().join("bin");
    std::fs::create_dir(&programs).expect("a folder");
    write_program(&programs.join("cargo"), CARGO);
    write_program(&programs.join("rustc"), RUSTC);
    folder
}

async fn fuzz(folder: &TempDir, arguments: &[&str]) -> (Output, String) {
    let own = folder.path().join("bin").display().to_string();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let variables = BTreeMap::from([("PATH", format!("{own}:{}", path.display()))]);
    let arguments = [&["fuzz/run.sh"], arguments].concat();
    let output = run("bash", arguments, &variables, folder.path()).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, said)
}

#[tokio::test]
async fn every_target_runs_and_the_broken_ones_are_named() {
    let folder = stage();
    let (output, said) = fuzz(&folder, &[]).await;
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    assert_eq!(read("ran"), "boxes\nflv\nhead\nrange\n", "{output:?}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(said.lines().last(), Some("broken: flv range"), "{said}");
    assert!(said.contains("deadly signal"), "{said}");
    let sound = "boxes: 4096 runs in 60 s, 345 edges covered, nothing found, at most 38 MiB";
    assert!(said.lines().any(|line| line == sound), "{said}");
    let built = read("built");
    assert!(
        built.split_whitespace().any(|word| word == "--locked"),
        "{built}"
    );
}

#[tokio::test]
async fn named_targets_alone_run_and_all_sound_is_success() {
    let folder = stage();
    let (output, said) = fuzz(&folder, &["5", "head", "boxes"]).await;
    assert!(output.status.success(), "{output:?}");
    let ran = std::fs::read_to_string(folder.path().join("ran")).expect("what ran");
    assert_eq!(ran, "head\nboxes\n");
    assert!(
        said.lines().all(|line| line.contains(" in 5 s, ")),
        "{said}"
    );
}
