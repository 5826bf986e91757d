//! Keys: what splits them, what does not, and what they were yesterday.

use wharf_graph::{
    CopySource, Graph, Mount, Op, Resolved, ResolvedUser, Source, Step,
    key::{ExactKey, FamilyKey, Lane, SlotKey},
};
use wharf_oci::Digest;
use wharf_tree::TreeDigest;

use crate::{lowered, options};

const DOCKERFILE: &str = "FROM alpine
ARG A=1
WORKDIR /w
USER app
RUN --mount=type=cache,target=/c --mount=type=secret,id=s --mount=target=/ctx make
COPY --chown=app src /src
";

fn graph() -> Graph {
    lowered(DOCKERFILE, &options::plain(), &options::KnownBases::new()).unwrap()
}

/// The step of this kind.
fn step(graph: &Graph, kind: &str) -> Step {
    graph
        .steps
        .iter()
        .find(|step| step.op.kind() == kind)
        .unwrap()
        .clone()
}

fn resolved() -> Resolved {
    Resolved {
        user: Some(ResolvedUser {
            uid: 1000,
            gid: 1000,
            groups: vec![27],
            home: "/home/app".to_owned(),
        }),
        seccomp: Some(Digest::of(b"profile")),
        scope: "team".to_owned(),
        trace_version: 1,
        one_owner: false,
        has_xattrs: false,
        has_acls: false,
        machine: "amd64".to_owned(),
    }
}

fn trees(step: &Step) -> Vec<TreeDigest> {
    let tree = |number: usize| TreeDigest(Digest::of(&[number as u8]));
    (0..step.inputs.len()).map(tree).collect()
}

fn run_of(step: &mut Step) -> &mut wharf_graph::RunOp {
    match &mut step.op {
        Op::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_are_what_they_were() {
    let graph = graph();
    let keys: Vec<String> = ["source", "mkdir", "run", "copy"]
        .map(|kind| step(&graph, kind))
        .iter()
        .map(|step| ExactKey::new(step, &resolved(), &trees(step)).0.hex())
        .collect();
    insta::assert_snapshot!(keys.join("\n"), @r"
    234ea678c539b753b1ab33d2e8ce3cf6f3d9afac9b392487097cf943d0a36817
    cdddbe5e97d1849915b178a3ae5ac957584e6baa7667632f0c4f8a85d32ea5d3
    64f28826f50cc0abcce62e8e820593bf7f60f500ced09fb578428b95dcbfaac8
    84214b0b21c1f1c732a81bc9a8e36690838abb8f24a557d9eeb7fdef93fc48a3
    ");
    let family = FamilyKey::new(&step(&graph, "run"), &resolved());
    let lane = Lane::new("services/a:Dockerfile", "build", 0);
    let others = [
        family.0,
        SlotKey::new(family, lane, 0).0,
        SlotKey::new(family, Lane::empty(), 7).0,
    ];
    insta::assert_snapshot!(others.map(|key| key.hex()).join("\n"), @r"
    9192bf9108677b6a6384d2dc0e0359557592204038d4725606448bd1fe5f3c52
    55768534ac0aa037f2bd21ad1fddbd6c6efb0cce68c1ff031f8e511d3ac499a4
    36edb07ac3324da77ef618b1f82501e9e24627244d0dd2b812d8347ab2366814
    ");
}

#[test]
fn what_a_process_can_see_splits() {
    let step = step(&graph(), "run");
    let key = FamilyKey::new(&step, &resolved());
    let changes: [fn(&mut Step, &mut Resolved); 17] = [
        |step, _| run_of(step).args.push("x".to_owned()),
        |step, _| run_of(step).env = [("A".to_owned(), "2".to_owned())].into(),
        |step, _| run_of(step).cwd.push('x'),
        |step, _| drop(run_of(step).mounts.remove(0)),
        |step, _| run_of(step).mounts.reverse(),
        |step, _| run_of(step).network = wharf_graph::NetworkMode::None,
        |step, _| run_of(step).security = wharf_graph::SecurityMode::Insecure,
        |step, _| run_of(step).hostname = Some("h".to_owned()),
        |step, _| run_of(step).shm_size = Some(1),
        |step, _| step.platform = "linux/arm64".parse().unwrap(),
        |_, resolved| resolved.user.as_mut().unwrap().uid = 0,
        |_, resolved| resolved.user.as_mut().unwrap().home.push('x'),
        |_, resolved| resolved.seccomp = None,
        |_, resolved| resolved.scope.clear(),
        |_, resolved| resolved.one_owner = true,
        |_, resolved| resolved.has_xattrs = true,
        |_, resolved| resolved.has_acls = true,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let (mut step, mut resolved) = (step.clone(), resolved());
        change(&mut step, &mut resolved);
        assert_ne!(FamilyKey::new(&step, &resolved), key, "change {number}");
    }
}

#[test]
fn what_it_cannot_see_does_not() {
    let step = step(&graph(), "run");
    let key = FamilyKey::new(&step, &resolved());
    let changes: [fn(&mut Step); 4] = [
        |step| run_of(step).proxy = [("http_proxy".to_owned(), "x".to_owned())].into(),
        // The numbers that it stands for are in the key.
        |step| run_of(step).user = "1000".to_owned(),
        |step| step.name.push('x'),
        |step| step.origin = None,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut step = step.clone();
        change(&mut step);
        assert_eq!(FamilyKey::new(&step, &resolved()), key, "change {number}");
    }
    let mut unresolved = step.clone();
    run_of(&mut unresolved).user = "1000".to_owned();
    let nobody = Resolved::default();
    assert_ne!(
        FamilyKey::new(&unresolved, &nobody),
        FamilyKey::new(&step, &nobody)
    );
}

#[test]
fn inputs_split_the_exact_key_only() {
    let step = step(&graph(), "run");
    let trees = trees(&step);
    let key = ExactKey::new(&step, &resolved(), &trees);
    for number in 0..trees.len() {
        let mut trees = trees.clone();
        trees[number] = TreeDigest(Digest::of(b"other"));
        assert_ne!(ExactKey::new(&step, &resolved(), &trees), key, "input {number}");
    }
}

#[test]
fn a_hint_is_no_part_of_an_op() {
    let graph = graph();
    let mut context = graph
        .steps
        .iter()
        .find(|step| matches!(step.op, Op::Source(Source::Context(_))))
        .unwrap()
        .clone();
    let digest = context.op.digest();
    if let Op::Source(Source::Context(source)) = &mut context.op {
        source.paths.insert("src".to_owned());
    }
    assert_eq!(context.op.digest(), digest);
}

#[test]
fn neighbours_do_not_run_together() {
    let mut one = step(&graph(), "run");
    let mut other = one.clone();
    run_of(&mut one).args = vec!["ab".to_owned(), "c".to_owned()];
    run_of(&mut other).args = vec!["a".to_owned(), "bc".to_owned()];
    assert_ne!(one.op.digest(), other.op.digest());
    let mut copy = step(&graph(), "copy");
    let digest = copy.op.digest();
    if let Op::Copy(op) = &mut copy.op {
        op.sources.push(CopySource::Checkout(wharf_graph::Input(1)));
    }
    assert_ne!(copy.op.digest(), digest);
    assert!(matches!(
        run_of(&mut one).mounts[..],
        [Mount::Cache(_), Mount::Bind(_), Mount::Secret(_)]
    ));
}

#[test]
fn what_an_emulator_made_is_not_what_the_machine_itself_makes() {
    let graph = graph();
    let key = |kind: &str, machine: &str| {
        let machine = machine.to_owned();
        FamilyKey::new(
            &step(&graph, kind),
            &Resolved {
                machine,
                ..resolved()
            },
        )
    };
    assert_ne!(key("run", "amd64"), key("run", "arm64"));
    // Whoever emulates.
    assert_eq!(key("run", "riscv64"), key("run", "arm64"));
    // Nothing of the target runs there.
    assert_eq!(key("copy", "amd64"), key("copy", "arm64"));
}
