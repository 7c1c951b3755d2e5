//! The Host header of a request in; whether it names the server, not a name of someone else's that was
//! made to lead here (DNS rebinding), out.

use std::net::IpAddr;

/// Whether who asks for `host` may mean a server that listens at `bound`: this machine's own names and
/// addresses, the address itself, and any address where it listens at all of them. No page can make an
/// address, nor a name in `localhost`, its own.
pub fn is_meant(host: &str, bound: IpAddr) -> bool {
    let Some(name) = without_port(host) else { return false };
    let inside = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match inside.unwrap_or(name).parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address == bound.to_canonical() || bound.is_unspecified()
        }
        Err(_) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// The host of `host:port`, where `[` and `]` hold an address with colons of its own.
fn without_port(host: &str) -> Option<&str> {
    let start = host.find(']').unwrap_or(0);
    match host[start..].split_once(':') {
        None => Some(host),
        Some((name, port)) => {
            port.bytes().all(|digit| digit.is_ascii_digit()).then(|| &host[..start + name.len()])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(host: &str, bound: &str) -> bool {
        is_meant(host, bound.parse().unwrap())
    }

    #[test]
    fn the_machine_itself_is_always_meant() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.:1",
            "app.localhost:8080",
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.255.1.2:80",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:8080",
        ] {
            for bound in ["127.0.0.1", "::1", "192.168.1.5", "0.0.0.0", "::"] {
                assert!(meant(host, bound), "{host} at {bound}");
            }
        }
    }

    #[test]
    fn a_name_of_someone_elses_is_never_meant() {
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example:8080",
            "127.0.0.1:8080.evil.example",
            "[::1].evil.example",
            "localhost:80:80",
            "user@localhost",
            "localhost/",
        ] {
            for bound in ["127.0.0.1", "::1", "192.168.1.5", "0.0.0.0", "::"] {
                assert!(!meant(host, bound), "{host} at {bound}");
            }
        }
    }

    #[test]
    fn an_address_is_meant_where_it_is_listened_at() {
        for (host, bound, expected) in [
            ("192.168.1.5:8080", "192.168.1.5", true),
            ("192.168.1.6:8080", "192.168.1.5", false),
            ("192.168.1.5:8080", "127.0.0.1", false),
            ("0.0.0.0:8080", "127.0.0.1", false),
            ("192.168.1.5:8080", "0.0.0.0", true),
            ("[fe80::1]:8080", "::", true),
            ("[fe80::1]:8080", "::1", false),
        ] {
            assert_eq!(meant(host, bound), expected, "{host} at {bound}");
        }
    }
}
