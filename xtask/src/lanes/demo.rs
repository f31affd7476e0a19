//! `cargo xtask demo` as a person uses it: it becomes ready, serves, and stops when asked.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::workspace::Workspace;

/// What a page needs to start.
const SERVED: &[&str] = &["/", "/pkg/index.js", "/pkg/clinicache_bg.wasm"];

pub(super) fn run(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.command(workspace.program());
    command
        .args(["demo", "--port", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut demo = Demo(command.spawn().context("the demo did not start")?);
    let address = demo.ready()?;
    for path in SERVED {
        let answer = get(&address, path)?;
        ensure!(
            answer.starts_with("HTTP/1.1 200"),
            "{path} was answered {answer:?}"
        );
    }
    demo.stop()?;
    ensure!(
        TcpStream::connect(&address).is_err(),
        "somebody still listens after the demo stopped"
    );
    println!("ready, served, stopped");
    Ok(())
}

/// The running demo, ended with the lane whatever happens.
struct Demo(Child);

impl Demo {
    /// Waits for the line that says so; what was printed before is shown.
    fn ready(&mut self) -> Result<String> {
        let output = self
            .0
            .stdout
            .take()
            .context("the demo has no standard output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            if let Some(address) = line.strip_prefix("ready http://") {
                return Ok(address.to_owned());
            }
        }
        anyhow::bail!("the demo ended before it was ready")
    }

    /// Asks it to stop, as a service manager does, and waits for that.
    fn stop(&mut self) -> Result<()> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status()?;
        ensure!(asked.success(), "the demo could not be told to stop");
        let status = self.0.wait()?;
        ensure!(status.success(), "the demo stopped uncleanly ({status})");
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of the answer.
fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let first = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(first).into_owned())
}
