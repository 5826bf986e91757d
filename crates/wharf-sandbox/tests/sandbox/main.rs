//! Real processes in real sandboxes.
use std::io::Read;
use wharf_sandbox::*;
fn main() {
    wharf_sandbox::init_if_asked();
    let args: Vec<String> = std::env::args().collect();
    let dir = args[1].clone();
    let sandbox = Sandbox::new(Options::default());
    println!("{:?}", sandbox.identity());
    let root = if args[2] == "plain" {
        Root::Plain { dir: dir.into() }
    } else {
        let base = std::path::PathBuf::from(&args[2]);
        let _ = std::fs::remove_dir_all(&base);
        std::fs::create_dir_all(base.join("u")).unwrap();
        std::fs::create_dir_all(base.join("w")).unwrap();
        Root::Overlay {
            lower: dir.into(),
            upper: base.join("u"),
            work: base.join("w"),
        }
    };
    let n = 4;
    for _ in 0..n {
        let mut spec = Spec::new(root.clone(), args[3..].iter().map(Into::into).collect());
        spec.env = vec!["PATH=/bin".into()];
        let t = std::time::Instant::now();
        let (mut r, w) = std::io::pipe().unwrap();
        let running = match sandbox.start(&spec, Io::output_to(w.into()).unwrap()) {
            Ok(r) => r,
            Err(e) => {
                println!("start: {e} {e:?}");
                return;
            }
        };
        let mut s = String::new();
        let _ = r.read_to_string(&mut s);
        let e = running.wait();
        println!("{s}{e:?} {:?}", t.elapsed());
        if n > 1 {
            if let Root::Overlay { work, .. } = &root {
                let _ = std::fs::remove_dir_all(work);
                let _ = std::fs::create_dir(work);
            }
        }
    }
}
