//! A local network of several machines: network namespaces joined by a bridge (Linux, needs root).

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The machines and their switch. Dropping it removes them; stop their processes before.
pub(crate) struct Lan {
    /// Namespaces, and the interface in each; the last one holds the bridge.
    names: Vec<String>,
}

fn ip(arguments: &str) -> bool {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

impl Lan {
    /// Joins this many machines, or returns `None` where namespaces cannot be created.
    pub(crate) fn of(machines: usize) -> Option<Self> {
        static LANS: AtomicU32 = AtomicU32::new(0);
        let lan = LANS.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        // The name of an interface has at most 15 bytes.
        let names = (0..=machines).map(|number| format!("bc{process}-{lan}{number}"));
        let lan = Self {
            names: names.collect(),
        };
        let switch = lan.switch();
        let has_switch = ip(&format!("netns add {switch}"))
            && ip(&format!("-n {switch} link add bridge type bridge"))
            && ip(&format!("-n {switch} link set bridge up"));
        let is_built = has_switch && (0..machines).all(|machine| lan.attach(machine));
        is_built.then_some(lan)
    }

    fn switch(&self) -> &str {
        &self.names[self.names.len() - 1]
    }

    fn attach(&self, machine: usize) -> bool {
        let (name, switch) = (&self.names[machine], self.switch());
        let (v4, v6) = (Self::address(machine), Self::ipv6_address(machine));
        ip(&format!("netns add {name}"))
            && ip(&format!(
                "link add {name} netns {name} type veth peer name {name} netns {switch}"
            ))
            && ip(&format!("-n {name} addr add {v4}/24 dev {name}"))
            && ip(&format!("-n {name} addr add {v6}/64 dev {name} nodad"))
            && ip(&format!("-n {name} link set lo up"))
            && ip(&format!("-n {name} link set {name} up"))
            && ip(&format!("-n {switch} link set {name} master bridge"))
            && ip(&format!("-n {switch} link set {name} up"))
    }

    /// Returns the IPv4 address of a machine.
    pub(crate) fn address(machine: usize) -> IpAddr {
        let last = u8::try_from(machine + 1).unwrap();
        Ipv4Addr::new(10, 77, 0, last).into()
    }

    /// Returns the IPv6 address of a machine.
    pub(crate) fn ipv6_address(machine: usize) -> IpAddr {
        let last = u16::try_from(machine + 1).unwrap();
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last).into()
    }

    /// Runs `work` on a machine: its connections, and the processes it starts, are there.
    #[track_caller]
    pub(crate) fn on<T: Send>(&self, machine: usize, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.names[machine])).unwrap();
        let work = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).unwrap();
            work()
        };
        // Only a thread moves, and it ends with the work.
        std::thread::scope(|scope| match scope.spawn(work).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Pulls the cable of a machine out of the switch.
    pub(crate) fn unplug(&self, machine: usize) {
        self.set_cable(machine, "down");
    }

    /// Plugs the cable of a machine in again.
    pub(crate) fn plug(&self, machine: usize) {
        self.set_cable(machine, "up");
    }

    fn set_cable(&self, machine: usize, state: &str) {
        let (name, switch) = (&self.names[machine], self.switch());
        assert!(ip(&format!("-n {switch} link set {name} {state}")));
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}
