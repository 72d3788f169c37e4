//! Which program listens on a port of this machine, where the system tells

/// Its process and its name.
#[cfg(target_os = "linux")]
pub(super) fn of(port: u16) -> Option<(u32, String)> {
    let sockets: Vec<String> =
        ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().flat_map(|file| listening(file, port)).collect();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Another person's process tells nothing.
        let Ok(files) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let mut links = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        if links.any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str())) {
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            return Some((pid, crate::shown::shown(name.trim_end())));
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_: u16) -> Option<(u32, String)> {
    None
}

/// The sockets of a table that listen on the port, as links to them read.
#[cfg(target_os = "linux")]
fn listening(file: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let table = std::fs::read_to_string(file).unwrap_or_default();
    let port = format!(":{port:04X}");
    let socket = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (address, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (address.ends_with(&port) && *state == LISTEN).then(|| format!("socket:[{inode}]"))
    };
    table.lines().skip(1).filter_map(socket).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn we_are_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("bound").port();
        assert_eq!(super::of(port).map(|(pid, _)| pid), Some(std::process::id()));
    }
}
