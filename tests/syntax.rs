use locus::base::span::Sources;
use locus::syntax::parse::parse_program;
#[test]
fn programs() {
    for entry in std::fs::read_dir("tests/syntax/programs").unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut sources = Sources::default();
        let file = sources.add(path.display().to_string(), text.clone());
        let t = std::time::Instant::now();
        let (program, errors) = parse_program(file, &text);
        println!("{} items {} {:?}", path.display(), program.items.len(), t.elapsed());
        for e in &errors { let l = e.primary.as_ref().unwrap(); println!("  {} {:?} {:?}", e.message, sources.line_column(l.span), text[l.span.start as usize..].lines().next()); }
    }
}
#[test]
fn deep() {
    for (a, b, c) in [("(", "1", ")"), ("[", "1", "]"), ("f(", "1", ")"), ("{a: ", "1", "}"), ("fn() => {", "1", "}"), ("f({", "1", "})"),("fn() => ","1",""),
     ("capture(", "1", ")"), ("capture m(", "1", ") {a = b}"), ("fit {a: ", "1", "}"), ("x[a: ","1","]"), ("if x {", "1", "}"), ("match x { 1 => ","1","}"),
      ("fn() => { f(", "1 1", ")}"), ("f({ let x = ", "1 1", "})"), ("[p in q => ", "1 1", "]"), ("\"{", "1", "}\""), ("-", "1", ""), ("not ", "1", ""), ("if x {1} else ", "{1}", ""), ("2^","1",""), ("1+","1",""),("f |> ", "1", "") ] {
        for n in [30, 60, 150, 199, 1000, 100000] {
            let text = format!("let x = {}{}{}", a.repeat(n), b, c.repeat(n));
            let t = std::time::Instant::now();
            let (p, e) = parse_program(locus::base::span::FileId(0), &text);
            println!("{a} {n}: {} {:?} {:?}", p.items.len(), e.first().map(|e| (e.code, e.message.clone())), t.elapsed());
        }
    }
}
