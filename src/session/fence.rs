//! The fence that the kernel keeps around a run: what may be read and written, and that there is no network and no
//! other process.
//!
//! Our own checks (`rt::reach`, `folder`) say the same with better words. This one holds even where those have a fault:
//! Landlock decides by the place of a file, seccomp refuses calls that no run needs. It can only be raised, for the
//! thread that calls and all that it starts. A library never raises it for its host.

use std::path::PathBuf;

/// What lies inside.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    /// Folders and files that may be read.
    pub read: Vec<PathBuf>,
    /// Folders below which files may be read, made, replaced and removed; they exist.
    pub write: Vec<PathBuf>,
    /// Folders directly below which an empty folder may be removed.
    pub tidy: Vec<PathBuf>,
}

/// What the kernel enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforced {
    pub files: bool,
    pub calls: bool,
}

impl Enforced {
    /// For `locus info`.
    pub fn shown(&self) -> &'static str {
        match (self.files, self.calls) {
            (true, true) => "files and system calls, by the kernel (Landlock, seccomp)",
            (true, false) => "files, by the kernel (Landlock); system calls are not filtered here",
            (false, true) => "system calls, by the kernel (seccomp); for files only locus's own checks hold",
            (false, false) => "only locus's own checks hold: this system has neither Landlock nor seccomp",
        }
    }
}

/// Raises the fence around this thread and all that it will start.
#[cfg(target_os = "linux")]
pub fn raise(fence: &Fence) -> Enforced {
    Enforced { files: linux::files(fence).unwrap_or(false), calls: linux::calls().is_some() }
}

#[cfg(not(target_os = "linux"))]
pub fn raise(_: &Fence) -> Enforced {
    Enforced { files: false, calls: false }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::path::Path;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
        RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };

    use super::Fence;

    /// What the system is asked about while a program runs: processors and memory. Of this process not the whole folder,
    /// in which its environment lies.
    const SYSTEM: &[&str] = &[
        "/proc/self/status",
        "/proc/self/statm",
        "/proc/self/stat",
        "/proc/self/maps",
        "/proc/self/cgroup",
        "/proc/self/mountinfo",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/sys/devices/system",
        "/sys/fs/cgroup",
        "/dev/urandom",
    ];
    /// Written to or read from as streams.
    const STREAMS: &[&str] = &["/dev/null", "/dev/tty"];

    /// True if the kernel holds all of it.
    pub fn files(fence: &Fence) -> Result<bool, RulesetError> {
        // Older kernels know less and enforce what they know.
        let abi = ABI::V6;
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?;
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let paths = |paths: &'static [&'static str]| paths.iter().map(Path::new);
        for place in paths(SYSTEM).chain(fence.read.iter().map(AsRef::as_ref)) {
            rules = allow(rules, place, read)?;
        }
        for place in paths(STREAMS) {
            rules = allow(rules, place, AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev)?;
        }
        for place in &fence.write {
            let made = AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::RemoveFile | AccessFs::RemoveDir;
            rules = allow(rules, place, read | made | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::Refer)?;
        }
        for place in &fence.tidy {
            rules = allow(rules, place, AccessFs::RemoveDir.into())?;
        }
        Ok(rules.restrict_self()?.ruleset == RulesetStatus::FullyEnforced)
    }

    /// A place that cannot be opened gives nothing.
    fn allow(rules: RulesetCreated, place: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
        let Ok(opened) = PathFd::new(place) else { return Ok(rules) };
        // Of a file the kernel takes only what can be done to a file.
        let access = if place.is_dir() { access } else { access & AccessFs::from_file(ABI::V6) };
        rules.add_rule(PathBeneath::new(opened, access))
    }

    /// Calls that no run needs. What remains cannot reach the network, other processes or the system's settings.
    const REFUSED: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_by_handle_at,
        libc::SYS_mknodat,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_personality,
        libc::SYS_fanotify_init,
        libc::SYS_shmget,
        libc::SYS_msgget,
        libc::SYS_semget,
    ];

    /// Older ways that only some processors have.
    #[cfg(target_arch = "x86_64")]
    const OLDER: &[i64] =
        &[libc::SYS_fork, libc::SYS_vfork, libc::SYS_mknod, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
    #[cfg(not(target_arch = "x86_64"))]
    const OLDER: &[i64] = &[];

    /// `None` if this processor or kernel filters no calls.
    pub fn calls() -> Option<()> {
        let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
            REFUSED.iter().chain(OLDER).map(|&call| (call, vec![])).collect();
        // Threads are made by the same call as processes; a flag tells them apart.
        let threads = libc::CLONE_THREAD as u64;
        let process = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(threads), 0).ok()?;
        refused.insert(libc::SYS_clone, vec![SeccompRule::new(vec![process]).ok()?]);
        install(refused, libc::EPERM)?;
        // Its flags lie behind a pointer, where no filter sees them; the C library then takes the older call.
        install(BTreeMap::from([(libc::SYS_clone3, vec![])]), libc::ENOSYS)
    }

    fn install(calls: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Option<()> {
        let arch = std::env::consts::ARCH.try_into().ok()?;
        let refusal = SeccompAction::Errno(error as u32);
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, refusal, arch).ok()?;
        let program: BpfProgram = filter.try_into().ok()?;
        seccompiler::apply_filter(&program).ok()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;
    use std::io::ErrorKind;

    /// In a thread of its own: the fence cannot be taken down.
    #[test]
    fn the_kernel_refuses_what_lies_outside() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["in", "out"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path("in/data"), b"data").unwrap();
        fs::write(path("secret"), b"secret").unwrap();
        let fence = Fence { read: vec![path("in")], write: vec![path("out")], tidy: Vec::new() };
        let denied = |error: std::io::Error| error.kind() == ErrorKind::PermissionDenied;
        let inside = || {
            let enforced = raise(&fence);
            if enforced.files {
                assert_eq!(fs::read(path("in/data")).unwrap(), b"data");
                assert!(denied(fs::read(path("secret")).unwrap_err()));
                assert!(denied(fs::read("/etc/passwd").unwrap_err()));
                assert!(denied(fs::write(path("in/data"), b"x").unwrap_err()));
                assert!(denied(fs::write(path("other"), b"x").unwrap_err()));
                fs::write(path("out/new.tmp"), b"x").unwrap();
                fs::rename(path("out/new.tmp"), path("out/new")).unwrap();
                assert!(denied(fs::rename(path("out/new"), path("in/new")).unwrap_err()) || path("out/new").exists());
            }
            if enforced.calls {
                assert!(std::net::TcpStream::connect("127.0.0.1:9").is_err_and(denied));
                assert!(std::process::Command::new("/bin/true").status().is_err());
                assert_eq!(std::thread::spawn(|| 1 + 1).join().unwrap(), 2);
            }
            enforced
        };
        let enforced = std::thread::scope(|scope| scope.spawn(inside).join().unwrap());
        // A kernel without them is told by `locus info`; the machines that test this have both.
        assert!(enforced.files && enforced.calls, "{}", enforced.shown());
    }
}
