//! Facts about the machine and the programs, without which figures mean nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The facts, as lines of `name: value`.
pub(crate) fn facts(server: &Path, load_at_start: &str) -> Vec<String> {
    let size = fs::metadata(server).map_or(0, |file| file.len());
    vec![
        format!(
            "processor: {} × {}",
            cores(),
            first_of("/proc/cpuinfo", "model name")
        ),
        format!("memory: {}", first_of("/proc/meminfo", "MemTotal")),
        format!("kernel: {}", output("uname", &["-sr"])),
        format!("open files: at most {} per process", open_files()),
        format!("load average at start: {load_at_start}"),
        format!(
            "serverrs: {}, {size} bytes",
            output_of(server, &["--version"])
        ),
        format!("nginx: {}", output("nginx", &["-v"])),
        format!("rustc: {}", output("rustc", &["--version"])),
    ]
}

/// Load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn open_files() -> String {
    rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .maximum
        .map_or("unlimited".to_owned(), |limit| limit.to_string())
}

fn first_of(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':'))
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    output_of(Path::new(program), arguments)
}

/// The first line that a program says; some say it on standard error.
fn output_of(program: &Path, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        return "not found".to_owned();
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines().next().unwrap_or_default().trim().to_owned()
}
