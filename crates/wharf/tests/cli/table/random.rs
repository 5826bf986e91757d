//! Steps and changes that nobody thought of: small trees, short scripts and edits drawn at random, the same for the same seed.
//!
//! Nothing is said about what has to run again: that the reused trees are what a build from nothing makes is all that is judged.

use super::case::Case;

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, and every seed is good.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % limit as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Directories of every tree, and the names in each: few, so that scripts and edits meet.
const DIRS: &[&str] = &["", "d/", "d/e/", "f/"];
const NAMES: &[&str] = &["a", "b", "c"];

/// What hard links are links to: never removed.
const SHARED: &str = "f/a";

/// What an entry may be. A link's target is seen from `d/` or from the root; some dangle, some loop.
const ENTRIES: &[&str] = &[
    "file",
    "file x",
    "file y",
    "file x @600",
    "file x @644:5:6",
    "file longer",
    "file x %user.a=b",
    "large x",
    "large y",
    "-> a",
    "-> b",
    "-> /d",
    "-> /d/a",
    "-> ../f",
    "-> e",
    "-> /nowhere/x",
    "dir",
    "dir @700",
    "dir @2775:0:50",
    "= f/a",
];

/// Commands: `$1` and `$2` are paths.
const COMMANDS: &[&str] = &[
    "cat $1",
    "cat $1 $2",
    "ls $1",
    "ls -R $1",
    "echo $1/*",
    "find $1",
    "find $1 -type f -exec cat {} +",
    "test -e $1 && echo there",
    "test -L $1 && echo link",
    "test -d $1 && cat $2",
    "test -s $1 && echo full",
    "readlink $1",
    "readlink -f $1",
    "cd $1 && pwd && cat a",
    "cd $1 && echo new > ./a",
    "echo new > $1",
    "echo new >> $1",
    "echo x > $1 && cat $2",
    "rm $1",
    "rm -f $1",
    "rm -rf $1",
    "rm -rf $1 && mkdir $1",
    "rm -rf $1 && mkdir -p $1 && echo mine > $1/a",
    "rm -rf $1 && mv $2 $1",
    "rmdir $1",
    "mkdir $1",
    "mkdir -p $1",
    "mkdir -p $1/e/g && echo x > $1/e/g/h",
    "mv $1 $2",
    "mv -T $1 $2",
    "cp $1 $2",
    "cp -a $1 $2",
    // Into itself, busybox's never ends, nor through a link to a directory above.
    "case $2/ in $1/*) ;; *) cp -r $1 $2 ;; esac",
    "find -L $1 -maxdepth 3 -type f -exec cat {} +",
    "ln $1 $2",
    "ln -s $1 $2",
    "ln -sfn $1 $2",
    "chmod 711 $1",
    "chmod -R go-w $1",
    "chown 7:8 $1",
    "chown -h 7:8 $1",
    "chown -R 7:8 $1",
    "touch -d @5 $1",
    "touch $1",
    "sed -i s/x/z/ $1",
    "cmp $1 $2 && echo same",
    "tar c -C / ${1#/} | tar x -C /tmp",
    "probe mode $1",
    "probe names $1",
    "probe access-x $1",
    "probe open-nofollow $1",
    "probe mmap $1",
    "probe sendfile $1",
    "probe exclusive $1",
    "probe create $1",
    "probe append-nothing $1",
    "probe read-write $1",
    "probe truncate $1",
    "probe rename $1 $2",
    "probe exchange $1 $2",
    "probe noreplace $1 $2",
    "probe link $1 $2",
    "probe tmpfile $1",
    "probe getxattr $1 user.a",
    "probe setxattr $1 user.b",
    "probe listxattr $1",
    "probe size $1",
    "probe map-write $1",
    "probe punch $1",
    // The end of a directory is a limit (docs/cache.md).
    "test -f $1 && tail -c 4 $1",
    "cp -a $1 /tmp/copy && cat $2",
    "true < $1",
    "true > $1",
];

fn path(random: &mut Random) -> String {
    let dir = random.one(DIRS);
    format!("{dir}{}", random.one(NAMES))
}

/// A path for a command: as above, a directory, or one through whatever `a` is.
fn operand(random: &mut Random) -> String {
    match random.below(8) {
        0 => "/d".to_owned(),
        1 => "/f".to_owned(),
        2 => "/d/e".to_owned(),
        3 => format!("/a/{}", random.one(NAMES)),
        4 => format!("/d/a/{}", random.one(NAMES)),
        _ => format!("/{}", path(random)),
    }
}

fn entry(random: &mut Random) -> String {
    let (path, what) = (removable(random), random.one(ENTRIES));
    format!("{path} {what}")
}

/// Every directory is there, and the file that hard links share.
fn parent(random: &mut Random) -> String {
    let fixed = format!("d/;d/e/;f/;{SHARED} file x");
    let others = (0..4 + random.below(5)).map(|_| entry(random));
    std::iter::once(fixed).chain(others).collect::<Vec<_>>().join(";")
}

/// What a directory becomes, with all that was in it gone.
const REPLACED: &[&str] = &[
    "-d/e",
    "-d/e;d/e -> ../f",
    "-d/e;d/e file x",
    "-d/e;d/e/ dir @700",
];

fn edits(random: &mut Random) -> String {
    let mut edits: Vec<String> = (0..=random.below(2)).map(|_| edit(random)).collect();
    if random.below(6) == 0 {
        edits.push(random.one(REPLACED).to_owned());
    }
    edits.join(";")
}

fn edit(random: &mut Random) -> String {
    match random.below(12) {
        0 => "f/a file z".to_owned(),
        1 => format!(
            "{} dir @{}",
            random.one(&["d", "d/e", "f"]),
            random.one(&["700", "2775:0:50"])
        ),
        2 => format!("{}new file", random.one(DIRS)),
        3 => format!("?{}", removable(random)),
        _ => entry(random),
    }
}

fn removable(random: &mut Random) -> String {
    loop {
        let path = path(random);
        if path != SHARED {
            return path;
        }
    }
}

fn script(random: &mut Random) -> String {
    let commands = (0..=random.below(4)).map(|_| {
        let command = random.one(COMMANDS);
        let (first, second) = (operand(random), operand(random));
        format!("set -- {first} {second}; {{ {command}; }} >> /tmp/out || echo no >> /tmp/out")
    });
    commands.collect::<Vec<_>>().join("\n")
}

/// Cases, each with some rounds of edits.
pub(super) fn cases(seed: u64, count: usize, rounds: usize) -> Vec<Case> {
    let mut random = Random(seed);
    let case = |number| {
        let parent = parent(&mut random);
        let step = script(&mut random);
        let sequence = (0..rounds).map(|_| format!("either: {}", edits(&mut random)));
        Case {
            name: format!("random {number} of {seed}: {parent} | {step}"),
            sequence: sequence.collect(),
            parent,
            step: Some(step),
            ..Case::default()
        }
    };
    (0..count).map(case).collect()
}
