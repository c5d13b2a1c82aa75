//! The text of a module, with a place to link to at each line.

use std::fmt::Write;

use super::names::Names;
use super::read::Module;
use super::{code, framed};
use crate::base::markup::escaped;

pub fn page(module: &Module, names: &Names) -> String {
    let marks = code::links(names.of_module(module), &module.source_page());
    // No token goes over the end of a line, so no element does.
    let shown = code::part(&module.text, &module.code, (0, module.text.len()), &marks);
    let name = escaped(&module.name);
    let mut content = format!(
        "<h1>Source of {name}</h1>\n<p><a href=\"{}\">What it is for</a></p>\n<pre class=\"source\" tabindex=\"0\"><code>",
        escaped(&module.page())
    );
    for (number, line) in shown.lines().enumerate() {
        let number = number + 1;
        let _ = writeln!(
            content,
            "<a class=\"number\" id=\"L{number}\" href=\"#L{number}\" tabindex=\"-1\" aria-label=\"line {number}\">{number}</a>{line}"
        );
    }
    content.push_str("</code></pre>\n");
    framed(&format!("Source of {}", module.name), None, &content)
}
