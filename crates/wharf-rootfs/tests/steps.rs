//! Real steps: what they leave behind, and what they are seen to have asked.

mod support;

use support::{Item, Step, privileged};

#[test]
fn smoke() {
    if let Err(lacks) = privileged() {
        return wharf_testkit::skip(&lacks);
    }
    let step = Step::new(&[
        ("etc/hello", Item::File("hello\n")),
        ("etc/other", Item::File("x")),
    ]);
    let outcome = step.run("cat /etc/hello; echo new > /etc/new; cat /nothing");
    assert_eq!(outcome.stdout(), "hello\n");
    for (place, answers) in outcome.all().answers() {
        println!("{} {:?}", place.path, answers.keys().collect::<Vec<_>>());
    }
    println!("{:#?}", outcome.commit.layer);
}
