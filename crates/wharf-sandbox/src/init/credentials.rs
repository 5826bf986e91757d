//! User, groups, capabilities and filters of the process.

use rustix::{
    fs::{Gid, Uid},
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
        remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

use crate::{SetupError, Spec, error::Doing, kernel, message::Run};

/// Takes them all. What an exec does finishes this: root then has the bounding set, everybody else what is ambient.
///
/// Filters come last, so that a profile need not allow what is done here; and while this process may still administrate, so that
/// `no_new_privs` is not needed and set-user-id programs work, as under Docker.
pub(super) fn take(run: &Run) -> Result<(), SetupError> {
    drop_bounding(&run.spec)?;
    set_keep_capabilities(true).doing("keep capabilities", "")?;
    if run.ids > 1 {
        become_user(&run.spec)?;
    }
    keep_permitted(run.spec.ambient).doing("set capabilities", "")?;
    for filter in &run.filters {
        kernel::install_filter(filter).doing("install a seccomp filter", "")?;
    }
    Ok(())
}

fn drop_bounding(spec: &Spec) -> Result<(), SetupError> {
    let unwanted = CapabilitySet::from_bits_retain(!spec.capabilities.bits());
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if !unwanted.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            // This kernel knows no capability of that number, and none of a higher one.
            Err(Errno::INVAL) => break,
            done => done.doing("drop a capability", "")?,
        }
    }
    Ok(())
}

/// The own group is one of the supplementary ones too, as container runtimes have it: what a step gives up with its group it
/// does not give up with setgid(2) alone.
fn supplementary(spec: &Spec) -> Vec<Gid> {
    let others = spec.groups.iter().copied().filter(|group| *group != spec.gid);
    std::iter::once(spec.gid)
        .chain(others)
        .map(Gid::from_raw)
        .collect()
}

fn become_user(spec: &Spec) -> Result<(), SetupError> {
    let groups = supplementary(spec);
    let (uid, gid) = (Uid::from_raw(spec.uid), Gid::from_raw(spec.gid));
    set_thread_groups(&groups).doing("set the supplementary groups", "")?;
    set_thread_res_gid(gid, gid, gid).doing(&format!("become the group {}", spec.gid), "")?;
    set_thread_res_uid(uid, uid, uid).doing(&format!("become the user {}", spec.uid), "")
}

/// What is permitted becomes effective again after a change of user; only what is ambient is inheritable, and outlives an exec.
fn keep_permitted(ambient: bool) -> rustix::io::Result<()> {
    let permitted = capabilities(None)?.permitted;
    let kept = if ambient {
        permitted
    } else {
        CapabilitySet::empty()
    };
    let sets = CapabilitySets {
        effective: permitted,
        permitted,
        inheritable: kept,
    };
    set_capabilities(None, sets)?;
    let mut bits = (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit));
    bits.try_for_each(|one| {
        if kept.contains(one) {
            configure_capability_in_ambient_set(one, true)?;
        }
        Ok(())
    })
}
