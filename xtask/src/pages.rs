//! The pages that commands write, looked at in Chromium without a window: nothing may stick out on a telephone or on a screen, and every colour has
//! a legend. Screenshots stay under target/pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::report;
use crate::shell::{self, End, Kind, fault, say};
use crate::suite::{Lane, Suite, Tally};

/// Widths of a telephone and of a screen, in CSS pixels.
const WIDTHS: [u32; 2] = [390, 1280];

/// The names of the browser.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Tallest screenshot, in CSS pixels.
const TALLEST: u32 = 8000;

/// Longest that the browser may take for a page.
const LONGEST: Duration = Duration::from_secs(60);

/// What the browser is asked of a page. The page is a frame of the wanted width, since a window cannot be as narrow as a telephone. Elements inside of a
/// box that scrolls may be wider than the page. A colour is that of a bar or a mark; layers' boxes bear their name.
const QUESTIONS: &str = r##"<script>
onload = () => {
  const frame = document.querySelector('iframe'), page = frame.contentDocument, root = page.documentElement;
  page.querySelectorAll('details').forEach(details => details.open = true);
  const style = element => frame.contentWindow.getComputedStyle(element);
  const scrolls = element => element && element !== page.body && (/auto|scroll/.test(style(element).overflowX) || scrolls(element.parentElement));
  const found = [];
  if (root.scrollWidth > root.clientWidth) found.push('the page is ' + root.scrollWidth + ' wide');
  for (const element of page.body.querySelectorAll('*'))
    if (element.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(element))
      found.push(element.tagName + ' "' + element.textContent.slice(0, 30) + '" sticks out');
  for (const text of page.querySelectorAll('svg text')) {
    const box = text.getBoundingClientRect(), picture = text.ownerSVGElement.getBoundingClientRect();
    if (box.right > picture.right + 1) found.push('the text "' + text.textContent + '" leaves its picture');
  }
  const keys = new Set([...page.querySelectorAll('.key')].map(key => style(key).backgroundColor));
  const colours = new Set();
  for (const bar of page.querySelectorAll('svg rect:not(.box)')) colours.add(style(bar).fill);
  for (const mark of page.querySelectorAll('svg line')) colours.add(style(mark).stroke);
  for (const bar of page.querySelectorAll('.fill, .mark')) colours.add(style(bar).backgroundColor);
  for (const colour of colours) if (!keys.has(colour)) found.push('no legend for ' + colour);
  if (colours.size === 0) found.push('there are no bars');
  page.querySelectorAll('details').forEach(details => details.open = false);
  frame.height = Math.min(root.scrollHeight, TALLEST);
  document.title = 'asked';
  document.body.dataset.height = frame.height;
  document.body.dataset.found = found.slice(0, 20).join('\n');
};
</script>"##;

/// A page and the words that it has to show.
struct Page {
    name: &'static str,
    path: PathBuf,
    words: &'static [&'static str],
}

fn folder() -> PathBuf {
    shell::root().join("target/pages")
}

/// Writes the pages: all figures, what a model takes, and what quantising one cost.
fn write() -> Result<[Page; 3]> {
    fs::create_dir_all(folder())?;
    let smolnn = |arguments: &[&str], page: &Path| {
        shell::output(shell::smolnn().args(arguments).arg("--html").arg(page)).map(drop)
    };
    report::run()?;
    let (inspect, quantise) = (folder().join("inspect.html"), folder().join("quantise.html"));
    let chip = ["--chip", "stm32f411", "--clock", "100MHz"];
    smolnn(&[&["inspect", "tests/data/digits/digits.tflite"], &chip[..]].concat(), &inspect)?;
    let data = |name: &str| format!("tests/data/quantise/digits{name}");
    let [model, samples, labels] = [".tflite", ".npz", "_labels.npy"].map(data);
    let test = data("_test.npz");
    smolnn(&["quantise", &model, "--data", &samples, "--labels", &labels, "--test", &test], &quantise)?;
    Ok([
        Page { name: "report", path: report::path(), words: &["cycles", "RAM", "commit", "Learning curves"] },
        Page { name: "inspect", path: inspect, words: &["cycles", "ms at 100 MHz", "arena"] },
        Page { name: "quantise", path: quantise, words: &["cycles", "RAM", "flash"] },
    ])
}

/// The browser, where there is one.
fn browser() -> Option<&'static str> {
    BROWSERS.into_iter().find(|name| shell::output(shell::command(name).arg("--version")).is_ok())
}

/// Lets the browser run with arguments; what it printed.
fn browse(browser: &str, arguments: &[String]) -> Result<String> {
    let mut command = shell::command(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]);
    command.args(arguments);
    let mut text = String::new();
    match shell::watch(&mut command, LONGEST, |line| text += &(line + "\n"))? {
        End::Exit(status) if status.success() => Ok(text),
        End::Exit(status) => bail!("{browser} ended with {status}:\n{text}"),
        End::Deadline => Err(fault(Kind::Hang, format!("{browser} did not end in time"))),
    }
}

/// Text as the value of an attribute.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;")
}

/// The text of an attribute of a printed page.
fn answer<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    page.split_once(&format!("{name}=\""))?.1.split_once('"').map(|(text, _)| text)
}

/// What is wrong with a page at a width; its screenshot is kept.
fn faults(browser: &str, name: &str, html: &str, width: u32) -> Result<Vec<String>> {
    let asked = folder().join(format!("{name}-{width}.asked.html"));
    let questions = QUESTIONS.replace("TALLEST", &TALLEST.to_string());
    let text = format!(
        "<!doctype html><meta charset=\"utf-8\"><body style=\"margin:0\"><iframe width=\"{width}\" height=\"800\" style=\"border:0;display:block\" srcdoc=\"{}\"></iframe>{questions}",
        attribute(html)
    );
    fs::write(&asked, text)?;
    let address = format!("file://{}", asked.display());
    let printed = browse(browser, &["--dump-dom".into(), address.clone()])?;
    let found = answer(&printed, "data-found").context("the browser did not answer")?;
    let height: u32 =
        answer(&printed, "data-height").and_then(|text| text.parse().ok()).context("the page has no height")?;
    let picture = folder().join(format!("{name}-{width}.png"));
    let size = format!("--window-size={},{height}", width.max(500));
    browse(browser, &[format!("--screenshot={}", picture.display()), size, address])?;
    ensure!(picture.is_file(), "{browser} made no screenshot");
    fs::remove_file(&asked)?;
    Ok(found.lines().map(|line| format!("{name} at {width} pixels: {line}")).collect())
}

/// Looks at all pages; the tally counts pages by widths.
fn check(browser: &str) -> Result<Tally> {
    let mut tally = Tally::default();
    for Page { name, path, words } in write()? {
        let html = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if let Some(word) = words.iter().find(|word| !html.contains(**word)) {
            bail!("{} does not say {word:?}", path.display());
        }
        for width in WIDTHS {
            let faults = faults(browser, name, &html, width)?;
            faults.iter().for_each(|fault| say!("{fault}"));
            *(if faults.is_empty() { &mut tally.passed } else { &mut tally.failed }) += 1;
        }
    }
    let wrong = "<body><div class=\"fill\" style=\"width:2000px;height:9px;background:#123456\"></div></body>";
    let noticed = faults(browser, "wrong", wrong, WIDTHS[0])?;
    let is_noticed = |what: &str| noticed.iter().any(|fault| fault.contains(what));
    ensure!(is_noticed("sticks out") && is_noticed("no legend"), "a wrong page was not noticed: {noticed:?}");
    tally.passed += 1;
    Ok(tally)
}

const ABSENT: &str = "Chromium is not here, so nobody looks at the pages; Debian has it as the package chromium";

/// `xtask pages`.
pub fn run() -> Result<()> {
    let Some(browser) = browser() else {
        write()?;
        return Err(fault(Kind::ToolMissing, ABSENT));
    };
    let Tally { passed, failed } = check(browser)?;
    println!("{passed} checks of pages passed, {failed} failed; screenshots are in {}", folder().display());
    ensure!(failed == 0, "pages are wrong");
    Ok(())
}

/// The step of the test, where there is a browser.
pub fn step(suite: &mut Suite<'_>) {
    match browser() {
        Some(browser) => _ = suite.step("pages in Chromium", Lane::Host, &[], move || check(browser)),
        None => suite.absent("pages in Chromium", ABSENT),
    }
}
